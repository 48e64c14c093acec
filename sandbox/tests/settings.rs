//! Tags and option settings of environments, as the service takes and tells them.

use bluegreen_sandbox::{Form, Reply, World};

const START: u64 = 1_800_000_000_000;

struct Play(World);

impl Play {
    fn new() -> Play {
        Play(World::seeded(START))
    }

    /// The status and body of a request's answer, given as a query string.
    fn ask(&mut self, request: &str) -> (u16, String) {
        match self.0.apply(&Form::parse(request.as_bytes())) {
            Reply::Answer { status, body, .. } => (status, body.replace("&apos;", "'")),
            Reply::HangUp => (0, String::new()),
        }
    }

    #[track_caller]
    fn done(&mut self, request: &str) -> String {
        let (status, body) = self.ask(request);
        assert_eq!(status, 200, "{request}: {body}");
        body
    }

    #[track_caller]
    fn refused(&mut self, request: &str, words: &str) {
        let (status, body) = self.ask(request);
        assert!(
            status >= 400 && body.contains(words),
            "{request}: {status} {body}"
        );
    }
}

const LAUNCH: &str = "Action=CreateEnvironment&ApplicationName=shop&EnvironmentName=shop-two&VersionLabel=v1&SolutionStackName=s";

fn tags(list: &str, count: usize) -> String {
    let tag = |n| format!("&{list}.member.{n}.Key=t{n}&{list}.member.{n}.Value=");
    (1..=count).map(tag).collect()
}

/// "Elastic Beanstalk applies three system tags … you can specify up to 47 tags of your own"
/// (developer guide, "Tagging Elastic Beanstalk application resources", and
/// "Environment manifest": up to 47).
#[test]
fn an_environment_takes_47_tags_of_its_owner() {
    let mut play = Play::new();
    let too_many = format!("{LAUNCH}{}", tags("Tags", 48));
    play.refused(&too_many, "TooManyTagsException");
    play.done(&format!("{LAUNCH}{}", tags("Tags", 47)));
    let environment = play.0.environment("shop-two").expect("it is there");
    let arn = environment.arn("us-east-1", "123456789012");
    let one_more = "&TagsToAdd.member.1.Key=more&TagsToAdd.member.1.Value=";
    let update = format!("Action=UpdateTagsForResource&ResourceArn={arn}{one_more}");
    play.refused(&update, "TooManyTagsException");
    play.done(&format!("{update}&TagsToRemove.member.1=t1"));
}
