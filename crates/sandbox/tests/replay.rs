//! A recording answers again what AWS answered.

use bluegreen_sandbox::{Replay, ReplayError};
use bytes::Bytes;
use http::{Request, Response};

fn recording(exchanges: &str) -> Result<Replay, ReplayError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording.json");
    let text = format!(
        r#"{{"format":"bluegreen-doctor","version":1,"region":"eu-central-1",
            "names":{{"blue":"environment-1"}},"exchanges":[{exchanges}]}}"#
    );
    std::fs::write(&path, text).expect("it is written");
    Replay::read(&path)
}

fn exchange(body: &str, status: u16, answer: &str) -> String {
    format!(
        r#"{{"at":"2026-01-02T03:04:05Z","service":"elasticbeanstalk","method":"POST","path":"/",
            "body":"{body}","status":{status},"answer":"{answer}"}}"#
    )
}

async fn ask(replay: &Replay, body: &str) -> Response<Bytes> {
    let request = Request::post("/").body(Bytes::from(body.to_owned()));
    replay.answer(request.expect("a request")).await
}

fn told(response: &Response<Bytes>) -> (u16, String) {
    let body = String::from_utf8(response.body().to_vec()).expect("text");
    (response.status().as_u16(), body)
}

#[tokio::test]
async fn the_same_question_is_answered_in_the_recorded_order() {
    let question =
        "Action=DescribeEvents&EnvironmentId=e-0000000001&StartTime=2026-01-02T03:04:05Z";
    let recorded = [
        exchange(question, 200, "first"),
        exchange(
            "Action=DescribeEvents&EnvironmentId=e-0000000002",
            200,
            "another",
        ),
        exchange(question, 200, "second"),
    ];
    let replay = recording(&recorded.join(",")).expect("a recording");
    // In another order, and later.
    let again = "EnvironmentId=e-0000000001&Action=DescribeEvents&StartTime=2027-01-01T00:00:00Z";
    for answer in ["first", "second", "second"] {
        assert_eq!(told(&ask(&replay, again).await), (200, answer.to_owned()));
    }
    assert_eq!(replay.names()["blue"], "environment-1");
    assert_eq!((replay.region(), replay.requests()), ("eu-central-1", 3));
}

#[tokio::test]
async fn made_up_values_may_differ_and_named_things_may_not() {
    let recorded = exchange(
        "Action=CreateConfigurationTemplate&ApplicationName=application-1&TemplateName=bluegreen-01j",
        200,
        "made",
    );
    let replay = recording(&recorded).expect("a recording");
    let ask_of = async |application: &str| {
        let body = format!(
            "Action=CreateConfigurationTemplate&ApplicationName={application}&TemplateName=bluegreen-01k"
        );
        told(&ask(&replay, &body).await)
    };
    assert_eq!(ask_of("application-1").await, (200, "made".to_owned()));
    let (status, message) = ask_of("application-2").await;
    assert_eq!(status, 400);
    assert!(
        message.contains("holds no CreateConfigurationTemplate"),
        "{message}"
    );
}

#[tokio::test]
async fn what_was_never_asked_gets_an_error_that_says_so() {
    let recorded = exchange("Action=DescribeEnvironments", 200, "some");
    let replay = recording(&recorded).expect("a recording");
    let (status, message) = told(&ask(&replay, "Action=TerminateEnvironment").await);
    assert_eq!(status, 400);
    for words in [
        "NotRecorded",
        "no TerminateEnvironment",
        "DescribeEnvironments",
    ] {
        assert!(message.contains(words), "{words}: {message}");
    }
}

#[tokio::test]
async fn what_is_no_recording_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording.json");
    assert!(matches!(Replay::read(&path), Err(ReplayError::Io { .. })));
    for text in [
        "no JSON",
        r#"{"format":"x","version":1,"region":"","exchanges":[]}"#,
    ] {
        std::fs::write(&path, text).expect("it is written");
        let error = Replay::read(&path).expect_err("it is none");
        assert!(
            matches!(error, ReplayError::NotARecording { .. }),
            "{error}"
        );
    }
    let newer = r#"{"format":"bluegreen-doctor","version":99,"region":"","exchanges":[]}"#;
    std::fs::write(&path, newer).expect("it is written");
    assert!(matches!(
        Replay::read(&path),
        Err(ReplayError::Newer { .. })
    ));
}

#[tokio::test]
async fn a_web_site_answers_with_its_recorded_status() {
    let recorded =
        r#"{"at":"2026-01-02T03:04:05Z","service":"site","method":"GET","path":"/","status":301}"#;
    let replay = recording(recorded).expect("a recording");
    let url = "http://application-1.us-east-1.elasticbeanstalk.com/";
    let request = Request::get(url).body(Bytes::new()).expect("a request");
    assert_eq!(replay.answer(request).await.status(), 301);
}

/// What was read after a change is answered once that change was asked for, and not before,
/// however often a client looks; and a client's own names are in the answers.
#[tokio::test]
async fn a_change_divides_what_is_read_before_it_from_what_is_read_after() {
    let (then, now) = ("01JRECRDED0000000000000000", "01KREP1AYED000000000000000");
    let read = "Action=DescribeApplications";
    let make = |id: &str| {
        format!(
            "Action=CreateConfigurationTemplate&TemplateName=bluegreen-{}",
            id.to_lowercase()
        )
    };
    let made = format!("bluegreen-{}", then.to_lowercase());
    let recorded = [
        exchange(read, 200, "none"),
        exchange(&make(then), 200, &made),
        exchange(read, 200, "not yet"),
        exchange(read, 200, &made),
        exchange("Action=DeleteConfigurationTemplate", 200, "deleted"),
        exchange(read, 200, "gone"),
    ];
    let replay = recording(&recorded.join(",")).expect("a recording");
    let answered = async |body: &str| told(&ask(&replay, body).await).1;
    for _ in 0..3 {
        assert_eq!(answered(read).await, "none");
    }
    let ours = format!("bluegreen-{}", now.to_lowercase());
    assert_eq!(answered(&make(now)).await, ours);
    assert_eq!(answered(read).await, "not yet");
    for _ in 0..3 {
        assert_eq!(answered(read).await, ours);
    }
    answered("Action=DeleteConfigurationTemplate").await;
    assert_eq!(answered(read).await, "gone");
}

/// An answer has the headers that clients read, such as the id of the request.
#[tokio::test]
async fn recorded_headers_are_given_again() {
    let recorded = r#"{"at":"2026-01-02T03:04:05Z","service":"elasticbeanstalk","method":"POST",
        "path":"/","body":"Action=TerminateEnvironment","status":200,"answer":"<a/>",
        "headers":{"x-amzn-requestid":"1234","content-length":"999"}}"#;
    let replay = recording(recorded).expect("a recording");
    let response = ask(&replay, "Action=TerminateEnvironment").await;
    assert_eq!(response.headers()["x-amzn-requestid"], "1234");
    assert!(!response.headers().contains_key("content-length"));
}

/// What clients keep in the bucket is theirs again, under S3's conditions.
#[tokio::test]
async fn clients_keep_their_own_objects() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("recording.json");
    let text = r#"{"format":"bluegreen-doctor","version":1,"region":"eu-central-1",
        "names":{"bucket":"bucket-1"},"exchanges":[]}"#;
    std::fs::write(&path, text).expect("it is written");
    let replay = Replay::read(&path).expect("a recording");
    let put = || {
        let request = Request::put("/bucket-1/bluegreen/leases/1.json").header("host", "127.0.0.1");
        let request = request.header("if-none-match", "*");
        request.body(Bytes::from_static(b"{}")).expect("a request")
    };
    assert_eq!(replay.answer(put()).await.status(), 200);
    assert_eq!(replay.answer(put()).await.status(), 412);
    let get = Request::get("/bucket-1/bluegreen/leases/1.json").header("host", "127.0.0.1");
    let get = get.body(Bytes::new()).expect("a request");
    assert_eq!(replay.answer(get).await.body(), "{}");
}
