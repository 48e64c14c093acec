//! S3 as clients of any kind use it: conditions, lists, versions, uploads, errors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bluegreen_sandbox::{BUCKET, Options, Sandbox, TimeSource};
use bytes::Bytes;
use http::{HeaderMap, Request};

/// 15 January 2027, 08:00:00 UTC, in milliseconds.
const START: u64 = 1_800_000_000_000;

const MD5_OF_ONE: &str = "\"f97c5d29941bfb1b2fdab0874906ab82\"";

/// A sandbox on a clock that is set by hand.
struct Shop {
    sandbox: Sandbox,
    now: Arc<AtomicU64>,
    folder: tempfile::TempDir,
}

/// An answer, with its body as text.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    #[track_caller]
    fn is(self, status: u16) -> Answer {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }

    /// An error has its code, a message, and the ids of its request.
    #[track_caller]
    fn fails(self, status: u16, code: &str) -> Answer {
        let answer = self.is(status);
        assert_eq!(answer.element("Code"), code, "{}", answer.body);
        assert!(!answer.element("Message").is_empty(), "{}", answer.body);
        assert_eq!(
            answer.element("RequestId"),
            answer.header("x-amz-request-id")
        );
        assert_eq!(answer.element("HostId"), answer.header("x-amz-id-2"));
        answer
    }

    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.unwrap_or(Ok("")).expect("text")
    }

    fn all(&self, name: &str) -> Vec<String> {
        let opening = format!("<{name}>");
        let parts = self.body.split(&opening).skip(1);
        let texts = parts.map(|part| part.split("</").next().unwrap_or_default().to_owned());
        texts.collect()
    }

    fn element(&self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }
}

impl Shop {
    fn new() -> Shop {
        let folder = tempfile::tempdir().expect("a folder");
        Shop::on(folder)
    }

    fn on(folder: tempfile::TempDir) -> Shop {
        let now = Arc::new(AtomicU64::new(START));
        let clock = now.clone();
        let at = move || UNIX_EPOCH + Duration::from_millis(clock.load(Ordering::SeqCst));
        let sandbox = Sandbox::open(Options {
            directory: Some(folder.path().to_owned()),
            time: TimeSource::Manual(Arc::new(at)),
            ..Options::default()
        });
        Shop {
            sandbox: sandbox.expect("it opens"),
            now,
            folder,
        }
    }

    fn wait(&self, seconds: u64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    /// Sends `METHOD path`, with headers as `name: value`.
    async fn send(&self, what: &str, headers: &[&str], body: impl Into<Bytes>) -> Answer {
        let (method, path) = what.split_once(' ').expect("a method and a path");
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://127.0.0.1/{path}"));
        for header in headers {
            let (name, value) = header.split_once(": ").expect("a header");
            request = request.header(name, value);
        }
        let request = request.body(body.into()).expect("a request");
        let answer = self.sandbox.handle(request).await.expect("an answer");
        Answer {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: String::from_utf8_lossy(answer.body()).into_owned(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(&format!("GET {path}"), &[], "").await
    }

    async fn put(&self, path: &str, body: &'static str) -> Answer {
        self.send(&format!("PUT {path}"), &[], body).await
    }

    async fn versioned(&self, status: &str) {
        let body =
            format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let what = format!("PUT {BUCKET}?versioning");
        self.send(&what, &[], body).await.is(200);
    }
}

/// S3 user guide, "How to perform conditional deletes".
#[tokio::test]
async fn a_delete_whose_condition_does_not_hold_deletes_nothing() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    shop.put(&object, "one").await.is(200);
    let delete = format!("DELETE {object}");
    let failed = shop.send(&delete, &["if-match: \"0\""], "").await;
    assert_eq!(
        failed.fails(412, "PreconditionFailed").element("Condition"),
        "If-Match"
    );
    assert_eq!(shop.get(&object).await.body, "one");
    let many = format!("POST {BUCKET}?delete");
    let keys = "<Delete><Object><Key>k</Key><ETag>0</ETag></Object></Delete>";
    let told = shop.send(&many, &[], keys).await.is(200);
    assert_eq!(told.element("Code"), "PreconditionFailed", "{}", told.body);
    assert_eq!(shop.get(&object).await.body, "one");
    let held = format!("if-match: {MD5_OF_ONE}");
    shop.send(&delete, &[&held], "").await.is(204);
    shop.send(&delete, &[&held], "")
        .await
        .fails(404, "NoSuchKey");
    shop.send(&delete, &[], "").await.is(204);
}

/// API reference, DeleteBucket: "All objects (including all object versions and delete markers) in
/// the bucket must be deleted before the bucket itself can be deleted."
#[tokio::test]
async fn a_bucket_is_deleted_only_when_it_is_empty() {
    let shop = Shop::new();
    let delete = format!("DELETE {BUCKET}");
    let refused = shop
        .send(&delete, &[], "")
        .await
        .fails(409, "BucketNotEmpty");
    assert_eq!(refused.element("BucketName"), BUCKET);
    shop.get(&format!("{BUCKET}/shop/v1.zip")).await.is(200);
    shop.put("peer-bucket", "").await.is(200);
    shop.put("peer-bucket/k", "one").await.is(200);
    shop.send("DELETE peer-bucket/k", &[], "").await.is(204);
    shop.send("DELETE peer-bucket", &[], "").await.is(204);
    shop.get("peer-bucket").await.fails(404, "NoSuchBucket");
}

/// In path style and in the host's name alike.
#[tokio::test]
async fn a_bucket_that_is_missing_is_not_made_by_a_write() {
    let shop = Shop::new();
    let hosts = [
        ("nowhere-x.s3.us-east-1.amazonaws.com", "k"),
        ("nowhere-x.s3.eu-west-1.amazonaws.com", "k"),
        ("nowhere-x.localhost:4577", "k"),
        ("127.0.0.1", "nowhere-x/k"),
    ];
    for (host, path) in hosts {
        for method in ["PUT", "GET", "DELETE"] {
            let request = Request::builder()
                .method(method)
                .uri(format!("/{path}"))
                .header("host", host)
                .body(Bytes::from_static(b"x"))
                .expect("a request");
            let answer = shop.sandbox.handle(request).await.expect("an answer");
            let body = String::from_utf8_lossy(answer.body());
            assert!(
                answer.status() == 404 && body.contains("<Code>NoSuchBucket</Code>"),
                "{method} {host}: {body}"
            );
            assert!(
                body.contains("<BucketName>nowhere-x</BucketName>"),
                "{body}"
            );
        }
    }
    assert!(!shop.get("").await.body.contains("nowhere-x"));
}

/// What is put in one style is read in the other.
#[tokio::test]
async fn the_styles_of_addresses_are_one() {
    let shop = Shop::new();
    let request = Request::put("/a//b?x-id=PutObject")
        .header("host", "shop-artifacts.s3.us-east-1.amazonaws.com")
        .body(Bytes::from_static(b"one"));
    let answer = shop.sandbox.handle(request.expect("a request")).await;
    assert_eq!(answer.expect("an answer").status(), 200);
    assert_eq!(
        shop.get(&format!("{BUCKET}/a//b")).await.is(200).body,
        "one"
    );
}

/// S3 user guide, "How to retrieve or copy objects based on metadata with conditional reads".
#[tokio::test]
async fn a_read_has_the_conditions_of_http() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    shop.put(&object, "one").await.is(200);
    let matches = format!("if-match: {MD5_OF_ONE}");
    let same = format!("if-none-match: {MD5_OF_ONE}");
    let bare = same.replace('"', "");
    let before = "Fri, 15 Jan 2027 07:59:59 GMT";
    let at = "Fri, 15 Jan 2027 08:00:00 GMT";
    let modified = format!("if-modified-since: {at}");
    let modified_before = format!("if-modified-since: {before}");
    let unmodified = format!("if-unmodified-since: {at}");
    let unmodified_before = format!("if-unmodified-since: {before}");
    let cases: [(&[&str], u16); 11] = [
        (&[&matches], 200),
        (&["if-match: \"0\""], 412),
        (&[&same], 304),
        (&[&bare], 304),
        (&["if-none-match: \"0\""], 200),
        (&[&modified], 304),
        (&[&modified_before], 200),
        (&[&unmodified], 200),
        (&[&unmodified_before], 412),
        (&[&matches, &unmodified_before], 200),
        (&[&same, &modified_before], 304),
    ];
    for (headers, status) in cases {
        for method in ["GET", "HEAD"] {
            let answer = shop.send(&format!("{method} {object}"), headers, "").await;
            assert_eq!(answer.status, status, "{method} {headers:?}");
            if status == 304 {
                assert_eq!((answer.header("etag"), &*answer.body), (MD5_OF_ONE, ""));
            }
        }
    }
}

/// S3 user guide, "How to prevent object overwrites with conditional writes".
#[tokio::test]
async fn a_write_has_the_conditions_of_s3() {
    let shop = Shop::new();
    let put = format!("PUT {BUCKET}/k");
    let missing = shop.send(&put, &["if-match: \"0\""], "one").await;
    assert_eq!(missing.fails(404, "NoSuchKey").element("Key"), "k");
    shop.send(&put, &["if-none-match: *"], "one").await.is(200);
    let held = shop.send(&put, &["if-none-match: *"], "two").await;
    assert_eq!(
        held.fails(412, "PreconditionFailed").element("Condition"),
        "If-None-Match"
    );
    shop.send(&put, &["if-match: \"0\""], "two")
        .await
        .fails(412, "PreconditionFailed");
    shop.send(&put, &["if-none-match: \"0\""], "two")
        .await
        .fails(501, "NotImplemented");
    let held = format!("if-match: {MD5_OF_ONE}");
    shop.send(&put, &[&held], "two").await.is(200);
    assert_eq!(shop.get(&format!("{BUCKET}/k")).await.body, "two");
}

/// S3 user guide, "Verifying bucket ownership with bucket owner condition".
#[tokio::test]
async fn a_bucket_of_another_owner_is_denied() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    let other = "x-amz-expected-bucket-owner: 999999999999";
    for what in ["PUT", "GET", "DELETE"] {
        let answer = shop.send(&format!("{what} {object}"), &[other], "x").await;
        answer.fails(403, "AccessDenied");
    }
    assert_eq!(
        shop.send(&format!("HEAD {object}"), &[other], "")
            .await
            .is(403)
            .body,
        ""
    );
    let own = "x-amz-expected-bucket-owner: 123456789012";
    shop.send(&format!("PUT {object}"), &[own], "one")
        .await
        .is(200);
    let source = format!("x-amz-copy-source: {object}");
    let other = "x-amz-source-expected-bucket-owner: 999999999999";
    let copy = format!("PUT {BUCKET}/copy");
    shop.send(&copy, &[&source, other], "")
        .await
        .fails(403, "AccessDenied");
    shop.get(&format!("{BUCKET}/copy"))
        .await
        .fails(404, "NoSuchKey");
}

/// Begins an upload and returns the path of its object with its id.
async fn begun(shop: &Shop, key: &str, headers: &[&str]) -> String {
    let begun = shop
        .send(&format!("POST {BUCKET}/{key}?uploads"), headers, "")
        .await;
    let id = begun.is(200).element("UploadId");
    format!("{BUCKET}/{key}?uploadId={id}")
}

fn completion(parts: &[(u32, &str)]) -> String {
    let parts = parts.iter().map(|(number, tag)| {
        format!("<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>")
    });
    let parts: String = parts.collect();
    format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>")
}

#[tokio::test]
async fn an_object_of_parts_has_its_own_checksums() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    // The CRC-32 of "one", as RFC 4648 writes it.
    let checksum = "x-amz-checksum-crc32: emyG8Q==";
    shop.send(&format!("PUT {object}"), &[checksum], "one")
        .await
        .is(200);
    let upload = begun(&shop, "k", &[]).await;
    let part = shop
        .put(&format!("{upload}&partNumber=1"), "two")
        .await
        .is(200);
    let body = completion(&[(1, part.header("etag"))]);
    let done = shop
        .send(&format!("POST {upload}"), &[], body)
        .await
        .is(200);
    // The MD5 digest of the MD5 digest of "two", and the number of parts.
    assert_eq!(
        done.element("ETag"),
        "\"c8288b8072be5f59c0c143fb416b2634-1\""
    );
    let enabled = "x-amz-checksum-mode: ENABLED";
    let got = shop
        .send(&format!("GET {object}"), &[enabled], "")
        .await
        .is(200);
    assert_eq!(
        (got.body.as_str(), got.header("x-amz-checksum-crc32")),
        ("two", "")
    );
    assert_eq!(got.header("x-amz-checksum-type"), "FULL_OBJECT");

    let upload = begun(&shop, "k", &["x-amz-checksum-algorithm: CRC32"]).await;
    let part = shop
        .put(&format!("{upload}&partNumber=1"), "one")
        .await
        .is(200);
    let body = completion(&[(1, part.header("etag"))]);
    let done = shop
        .send(&format!("POST {upload}"), &[], body)
        .await
        .is(200);
    // The CRC-32 of the four bytes of the part's, and the number of parts.
    assert_eq!(done.element("ChecksumCRC32"), "w2hQ5w==-1");
    assert_eq!(done.element("ChecksumType"), "COMPOSITE");
}

#[tokio::test]
async fn an_upload_is_completed_with_the_parts_that_it_has() {
    let shop = Shop::new();
    let upload = begun(&shop, "k", &[]).await;
    let complete = format!("POST {upload}");
    for (number, content) in [(2, "two"), (10, "ten"), (1, "one")] {
        shop.put(&format!("{upload}&partNumber={number}"), content)
            .await
            .is(200);
    }
    let listed = shop.get(&upload).await.is(200);
    assert_eq!(listed.all("PartNumber"), ["1", "2", "10"]);
    assert_eq!(listed.all("ETag")[0], MD5_OF_ONE);
    let uploads = shop.get(&format!("{BUCKET}?uploads")).await.is(200);
    assert_eq!(uploads.all("Key"), ["k"]);

    let wrong = completion(&[(1, "0")]);
    shop.send(&complete, &[], wrong)
        .await
        .fails(400, "InvalidPart");
    let missing = completion(&[(3, MD5_OF_ONE)]);
    shop.send(&complete, &[], missing)
        .await
        .fails(400, "InvalidPart");
    let disordered = completion(&[(2, "0"), (1, MD5_OF_ONE)]);
    shop.send(&complete, &[], disordered)
        .await
        .fails(400, "InvalidPartOrder");
    let small = completion(&[(1, MD5_OF_ONE), (2, &listed.all("ETag")[1])]);
    shop.send(&complete, &[], small)
        .await
        .fails(400, "EntityTooSmall");

    let right = completion(&[(1, MD5_OF_ONE)]);
    let other = complete.replace("uploadId=", "uploadId=0");
    let unknown = shop.send(&other, &[], right.clone()).await;
    unknown.fails(404, "NoSuchUpload");
    shop.send(&complete, &[], right.clone()).await.is(200);
    shop.send(&complete, &[], right)
        .await
        .fails(404, "NoSuchUpload");
    assert_eq!(shop.get(&format!("{BUCKET}/k")).await.body, "one");
    assert!(
        shop.sandbox
            .report()
            .leftovers
            .unfinished_uploads
            .is_empty()
    );
}

#[tokio::test]
async fn an_aborted_upload_is_gone() {
    let shop = Shop::new();
    let upload = begun(&shop, "k", &[]).await;
    assert_eq!(shop.sandbox.report().leftovers.unfinished_uploads.len(), 1);
    shop.put(&format!("{upload}&partNumber=1"), "one")
        .await
        .is(200);
    shop.send(&format!("DELETE {upload}"), &[], "")
        .await
        .is(204);
    shop.get(&upload).await.fails(404, "NoSuchUpload");
    shop.put(&format!("{upload}&partNumber=1"), "one")
        .await
        .fails(404, "NoSuchUpload");
    shop.get(&format!("{BUCKET}/k"))
        .await
        .fails(404, "NoSuchKey");
}

/// API reference, ListObjectsV2: `encoding-type`.
#[tokio::test]
async fn lists_spell_keys_as_their_client_wants_them() {
    let shop = Shop::new();
    shop.put("keys", "").await.is(200);
    shop.put("keys/rel/1.2%2B3.zip", "x").await.is(200);
    shop.put("keys/n/%2541.zip", "x").await.is(200);
    let plain = shop.get("keys?list-type=2").await.is(200);
    assert_eq!(plain.all("Key"), ["n/%41.zip", "rel/1.2+3.zip"]);
    for list in ["list-type=2", "list-type=1"] {
        let spelled = shop
            .get(&format!("keys?{list}&encoding-type=url"))
            .await
            .is(200);
        assert_eq!(spelled.element("EncodingType"), "url");
        assert_eq!(spelled.all("Key"), ["n/%2541.zip", "rel/1.2%2B3.zip"]);
    }
    let common = shop
        .get("keys?list-type=2&delimiter=%2B&encoding-type=url")
        .await;
    assert_eq!(common.all("Prefix")[1], "rel/1.2%2B", "{}", common.body);
}

#[tokio::test]
async fn lists_have_every_key_once_in_order() {
    let shop = Shop::new();
    shop.put("keys", "").await.is(200);
    let keys = ["a", "a-b", "a/b", "a/c", "b", "b/x", "c+d", "e f", "z/y/x"];
    for key in keys.iter().rev() {
        let path = key.replace('+', "%2B").replace(' ', "%20");
        shop.put(&format!("keys/{path}"), "one").await.is(200);
    }
    for (first, next, place) in [
        ("list-type=2", "continuation-token", "NextContinuationToken"),
        ("", "marker", "Key"),
        ("versions", "key-marker", "NextKeyMarker"),
    ] {
        let (mut found, mut query) = (Vec::new(), String::new());
        loop {
            let page = shop
                .get(&format!("keys?{first}&max-keys=2{query}"))
                .await
                .is(200);
            found.extend(page.all("Key"));
            assert_eq!(page.all("ETag"), vec![MD5_OF_ONE; page.all("Key").len()]);
            assert_eq!(page.element("StorageClass"), "STANDARD");
            if page.element("IsTruncated") == "false" {
                break;
            }
            let last = page.all(place).pop().expect("a place");
            let last: String = form_urlencoded::byte_serialize(last.as_bytes()).collect();
            query = format!("&{next}={last}");
            if first == "versions" {
                query += &format!("&version-id-marker={}", page.element("NextVersionIdMarker"));
            }
        }
        assert_eq!(found, keys, "{first}");
    }
    let after = shop
        .get("keys?list-type=2&start-after=a/c&prefix=b")
        .await
        .is(200);
    assert_eq!(after.all("Key"), ["b", "b/x"]);
    let common = shop
        .get("keys?list-type=2&delimiter=/&max-keys=3")
        .await
        .is(200);
    assert_eq!(
        (common.all("Key"), common.element("KeyCount")),
        (vec!["a".into(), "a-b".into()], "3".into())
    );
    assert_eq!(common.all("Prefix")[1..], ["a/"]);
}

/// S3 user guide, "Naming Amazon S3 objects": a key is a text, and no path.
#[tokio::test]
async fn keys_of_any_kind_are_objects_of_their_own() {
    let shop = Shop::new();
    shop.put("keys", "").await.is(200);
    let long = "x".repeat(1024);
    let mut keys = vec![
        "n", "n/", "n//y", "n/y", "n/./x", "n/x", "n/z/", "a/../k", "k", "N", "/lead", &long,
    ];
    for key in &keys {
        let what = format!("PUT keys/{key}");
        shop.send(&what, &[], (*key).to_owned()).await.is(200);
    }
    for key in &keys {
        assert_eq!(shop.get(&format!("keys/{key}")).await.is(200).body, *key);
    }
    keys.sort_unstable();
    assert_eq!(shop.get("keys?list-type=2").await.all("Key"), keys);
    let longer = format!("keys/{long}x");
    shop.put(&longer, "x").await.fails(400, "KeyTooLongError");
}

/// S3 user guide, "Retaining multiple versions of objects with S3 Versioning".
#[tokio::test]
async fn versions_stay_once_they_are_kept() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    assert_eq!(
        shop.put(&object, "zero")
            .await
            .is(200)
            .header("x-amz-version-id"),
        ""
    );
    shop.versioned("Enabled").await;
    assert_eq!(
        shop.get(&format!("{BUCKET}?versioning"))
            .await
            .element("Status"),
        "Enabled"
    );
    let one = shop
        .put(&object, "one")
        .await
        .is(200)
        .header("x-amz-version-id")
        .to_owned();
    let two = shop
        .put(&object, "two")
        .await
        .is(200)
        .header("x-amz-version-id")
        .to_owned();
    let deleted = shop
        .send(&format!("DELETE {object}"), &[], "")
        .await
        .is(204);
    assert_eq!(deleted.header("x-amz-delete-marker"), "true");
    let marker = deleted.header("x-amz-version-id").to_owned();

    let gone = shop.get(&object).await.fails(404, "NoSuchKey");
    assert_eq!(gone.header("x-amz-delete-marker"), "true");
    shop.get(&format!("{object}?versionId={marker}"))
        .await
        .fails(405, "MethodNotAllowed");
    shop.get(&format!("{object}?versionId=0"))
        .await
        .fails(404, "NoSuchVersion");
    for (id, content) in [("null", "zero"), (&one, "one"), (&two, "two")] {
        let got = shop.get(&format!("{object}?versionId={id}")).await.is(200);
        assert_eq!((&*got.body, got.header("x-amz-version-id")), (content, id));
    }
    let listed = shop
        .get(&format!("{BUCKET}?versions&prefix=k"))
        .await
        .is(200);
    let ids: Vec<_> = [&*two, &*one, "null", &*marker].map(str::to_owned).into();
    let mut told = listed.all("VersionId");
    let mut wanted = ids.clone();
    told.sort();
    wanted.sort();
    assert_eq!(told, wanted);
    assert!(
        !shop
            .get(&format!("{BUCKET}?list-type=2"))
            .await
            .body
            .contains("<Key>k</Key>")
    );

    let copied = format!("x-amz-copy-source: {object}?versionId={one}");
    shop.send(&format!("PUT {BUCKET}/copy"), &[&copied], "")
        .await
        .is(200);
    assert_eq!(shop.get(&format!("{BUCKET}/copy")).await.body, "one");
    shop.send(&format!("DELETE {object}?versionId={marker}"), &[], "")
        .await
        .is(204);
    assert_eq!(shop.get(&object).await.is(200).body, "two");
    shop.send(&format!("DELETE {object}?versionId={two}"), &[], "")
        .await
        .is(204);
    assert_eq!(shop.get(&object).await.is(200).body, "one");

    shop.versioned("Suspended").await;
    shop.put(&object, "null again").await.is(200);
    shop.get(&format!("{object}?versionId={one}")).await.is(200);
    let null = shop.get(&format!("{object}?versionId=null")).await.is(200);
    assert_eq!(null.body, "null again");
}

/// A signature in the query is taken unchecked, until the time that it names.
#[tokio::test]
async fn a_presigned_url_is_good_for_its_time() {
    let shop = Shop::new();
    let fourth = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=A%2F20270115%2Fus-east-1%2Fs3\
                  %2Faws4_request&X-Amz-Date=20270115T080000Z&X-Amz-Expires=100\
                  &X-Amz-SignedHeaders=host&X-Amz-Signature=00";
    let second = format!(
        "AWSAccessKeyId=A&Signature=00&Expires={}",
        START / 1000 + 100
    );
    for (key, query) in [("fourth", fourth), ("second", &second)] {
        let object = format!("{BUCKET}/{key}?{query}");
        let put = format!("{object}&x-amz-meta-of=a%20b");
        shop.put(&put, "one").await.is(200);
        let got = shop
            .get(&format!("{object}&response-content-type=text%2Fx"))
            .await
            .is(200);
        assert_eq!((&*got.body, got.header("content-type")), ("one", "text/x"));
        assert_eq!(got.header("x-amz-meta-of"), "a b");
    }
    shop.wait(101);
    for query in [fourth, &second] {
        let expired = shop.get(&format!("{BUCKET}/fourth?{query}")).await;
        let expired = expired.fails(403, "AccessDenied");
        assert_eq!(expired.element("Message"), "Request has expired");
        assert_eq!(expired.element("ServerTime"), "2027-01-15T08:01:41.000Z");
    }
    let partial = fourth.replace("X-Amz-Date", "X-Amz-Other");
    let partial = shop.get(&format!("{BUCKET}/fourth?{partial}")).await;
    partial.fails(400, "AuthorizationQueryParametersError");
    let long = fourth.replace("Expires=100", "Expires=604801");
    let long = shop.get(&format!("{BUCKET}/fourth?{long}")).await;
    long.fails(400, "AuthorizationQueryParametersError");
}

#[tokio::test]
async fn settings_that_nobody_made_are_reported_missing() {
    let shop = Shop::new();
    for (setting, code) in [
        ("policy", "NoSuchBucketPolicy"),
        ("policyStatus", "NoSuchBucketPolicy"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("tagging", "NoSuchTagSet"),
        ("cors", "NoSuchCORSConfiguration"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("replication", "ReplicationConfigurationNotFoundError"),
        ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ] {
        shop.get(&format!("{BUCKET}?{setting}"))
            .await
            .fails(404, code);
        shop.get(&format!("nowhere-x?{setting}"))
            .await
            .fails(404, "NoSuchBucket");
    }
    let answered: BTreeMap<_, _> = BTreeMap::from([
        ("acl", "FULL_CONTROL"),
        ("encryption", "AES256"),
        ("location", "LocationConstraint"),
        ("ownershipControls", "BucketOwnerEnforced"),
        ("publicAccessBlock", "<BlockPublicAcls>true"),
        ("versioning", "VersioningConfiguration"),
    ]);
    for (setting, text) in answered {
        let answer = shop.get(&format!("{BUCKET}?{setting}")).await.is(200);
        assert!(answer.body.contains(text), "{setting}: {}", answer.body);
    }
}

#[tokio::test]
async fn settings_are_kept_and_removed() {
    let shop = Shop::new();
    for (setting, body, text) in [
        ("policy", "{\"Statement\":[]}", "{\"Statement\":[]}"),
        (
            "lifecycle",
            "<LifecycleConfiguration><Rule><ID>old</ID><Filter><Prefix>a</Prefix></Filter>\
             <Status>Enabled</Status><Expiration><Days>3</Days></Expiration></Rule>\
             </LifecycleConfiguration>",
            "<ID>old</ID>",
        ),
        (
            "tagging",
            "<Tagging><TagSet><Tag><Key>of</Key><Value>shop</Value></Tag></TagSet></Tagging>",
            "<Value>shop</Value>",
        ),
        (
            "cors",
            "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod>\
             <AllowedOrigin>*</AllowedOrigin></CORSRule></CORSConfiguration>",
            "<AllowedMethod>GET</AllowedMethod>",
        ),
        (
            "publicAccessBlock",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>false</BlockPublicAcls>\
             </PublicAccessBlockConfiguration>",
            "<BlockPublicAcls>false",
        ),
    ] {
        let path = format!("{BUCKET}?{setting}");
        let put = shop.put(&path, body).await;
        assert!(matches!(put.status, 200 | 204), "{setting}: {}", put.body);
        let got = shop.get(&path).await.is(200);
        assert!(got.body.contains(text), "{setting}: {}", got.body);
        shop.send(&format!("DELETE {path}"), &[], "").await.is(204);
        shop.get(&path).await.is(404);
    }
    shop.put(&format!("{BUCKET}?policy"), "none")
        .await
        .fails(400, "MalformedPolicy");
    let encrypted = "<ServerSideEncryptionConfiguration><Rule>\
                     <ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
                     </ApplyServerSideEncryptionByDefault></Rule>\
                     </ServerSideEncryptionConfiguration>";
    shop.put(&format!("{BUCKET}?encryption"), encrypted)
        .await
        .is(200);
    let put = shop.put(&format!("{BUCKET}/k"), "one").await.is(200);
    assert_eq!(put.header("x-amz-server-side-encryption"), "aws:kms");
}

#[tokio::test]
async fn objects_have_tags_and_attributes() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    let tagged = "x-amz-tagging: a=1&b=2%203";
    shop.send(&format!("PUT {object}"), &[tagged], "one")
        .await
        .is(200);
    let tags = shop.get(&format!("{object}?tagging")).await.is(200);
    assert_eq!(
        (tags.all("Key"), tags.all("Value")),
        (vec!["a".into(), "b".into()], vec!["1".into(), "2 3".into()])
    );
    assert_eq!(shop.get(&object).await.header("x-amz-tagging-count"), "2");
    let other = "<Tagging><TagSet><Tag><Key>c</Key><Value>4</Value></Tag></TagSet></Tagging>";
    shop.put(&format!("{object}?tagging"), other).await.is(200);
    assert_eq!(
        shop.get(&format!("{object}?tagging")).await.all("Key"),
        ["c"]
    );
    assert_eq!(shop.get(&object).await.body, "one");
    shop.send(&format!("DELETE {object}?tagging"), &[], "")
        .await
        .is(204);
    assert!(
        shop.get(&format!("{object}?tagging"))
            .await
            .all("Key")
            .is_empty()
    );
    let attributes = "x-amz-object-attributes: ETag,ObjectSize,StorageClass";
    let told = shop
        .send(&format!("GET {object}?attributes"), &[attributes], "")
        .await
        .is(200);
    let told = ["ObjectSize", "StorageClass", "Checksum"].map(|name| told.element(name));
    assert_eq!(told, ["3", "STANDARD", ""]);
}

/// API reference, CreateBucket.
#[tokio::test]
async fn a_bucket_knows_its_region() {
    let shop = Shop::new();
    let put = "PUT peer-bucket";
    let created = shop.send(put, &[], "").await.is(200);
    assert_eq!(created.header("location"), "/peer-bucket");
    shop.send(put, &[], "").await.is(200);
    let there = "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint>\
                 </CreateBucketConfiguration>";
    shop.send(put, &[], there)
        .await
        .fails(409, "BucketAlreadyOwnedByYou");
    shop.send("PUT peer-west", &[], there).await.is(200);
    let region = shop.get("peer-west?location").await.is(200);
    assert!(region.body.contains(">eu-west-1<"), "{}", region.body);
    let head = shop.send("HEAD peer-west", &[], "").await.is(200);
    assert_eq!(head.header("x-amz-bucket-region"), "eu-west-1");
    let here = there.replace("eu-west-1", "us-east-1");
    shop.send("PUT peer-east", &[], here)
        .await
        .fails(400, "InvalidLocationConstraint");
}

#[tokio::test]
async fn an_object_is_told_with_its_headers() {
    let shop = Shop::new();
    let object = format!("{BUCKET}/k");
    shop.put(&object, "one").await.is(200);
    shop.wait(5);
    let got = shop.get(&object).await.is(200);
    for (name, value) in [
        ("accept-ranges", "bytes"),
        ("content-type", "binary/octet-stream"),
        ("content-length", "3"),
        ("etag", MD5_OF_ONE),
        ("last-modified", "Fri, 15 Jan 2027 08:00:00 GMT"),
        ("date", "Fri, 15 Jan 2027 08:00:05 GMT"),
        ("x-amz-server-side-encryption", "AES256"),
    ] {
        assert_eq!(got.header(name), value, "{name}");
    }
    assert!(!got.header("x-amz-request-id").is_empty() && !got.header("x-amz-id-2").is_empty());
    let part = shop
        .send(&format!("GET {object}"), &["range: bytes=1-"], "")
        .await
        .is(206);
    assert_eq!(
        (&*part.body, part.header("content-range")),
        ("ne", "bytes 1-2/3")
    );
    let beyond = shop
        .send(&format!("GET {object}"), &["range: bytes=3-"], "")
        .await;
    assert_eq!(
        beyond.fails(416, "InvalidRange").header("content-range"),
        "bytes */3"
    );
    assert_eq!(
        shop.send(&format!("GET {object}"), &["range: words"], "")
            .await
            .is(200)
            .body,
        "one"
    );
    let missing = shop
        .get(&format!("{BUCKET}/a%26b"))
        .await
        .fails(404, "NoSuchKey");
    assert_eq!(missing.element("Key"), "a&amp;b");
    let copied = format!("x-amz-copy-source: {object}");
    shop.send(&format!("PUT {object}"), &[&copied], "")
        .await
        .fails(400, "InvalidRequest");
}

/// A checksum may follow its body (S3 API reference, "Signature calculations … trailing headers").
#[tokio::test]
async fn a_checksum_after_a_body_is_checked_and_kept() {
    let shop = Shop::new();
    let put = format!("PUT {BUCKET}/k");
    let headers = [
        "content-encoding: aws-chunked,gzip",
        "x-amz-trailer: x-amz-checksum-crc32",
    ];
    let wrong = "3\r\none\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    shop.send(&put, &headers, wrong)
        .await
        .fails(400, "BadDigest");
    let right = wrong.replace("AAAAAA==", "emyG8Q==");
    shop.send(&put, &headers, right).await.is(200);
    let enabled = "x-amz-checksum-mode: ENABLED";
    let got = shop
        .send(&format!("GET {BUCKET}/k"), &[enabled], "")
        .await
        .is(200);
    assert_eq!(
        (&*got.body, got.header("x-amz-checksum-crc32")),
        ("one", "emyG8Q==")
    );
    assert_eq!(got.header("content-encoding"), "gzip");
}

/// A folder as `s3s-fs` kept it, with checksums that a killed process left of the object before.
#[tokio::test]
async fn a_folder_of_an_earlier_sandbox_opens() {
    let shop = Shop::new();
    let folder = shop.folder;
    drop(shop.sandbox);
    let root = folder.path().join("s3");
    std::fs::remove_dir_all(&root).expect("it is removed");
    let write = |name: &str, content: &str| {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("it is made");
        std::fs::write(path, content).expect("it is written");
    };
    let beside = |key: &str, what: &str| {
        let encoded = |text: &str| base64_simd::URL_SAFE_NO_PAD.encode_to_string(text);
        format!(
            ".bucket-{}.object-{}.{what}.json",
            encoded(BUCKET),
            encoded(key)
        )
    };
    write(&format!("{BUCKET}/bluegreen/leases/1.json"), "one");
    write(&format!("{BUCKET}/shop/v1.zip"), "a source bundle");
    write(&format!("{BUCKET}/parts"), "two");
    write(
        &beside("parts", "internal"),
        "{\"e_tag\":\"00-2\",\"checksum_crc32\":\"old\"}",
    );
    write(
        &beside("bluegreen/leases/1.json", "metadata"),
        "{\"user_metadata\":{\"of\":\"a\"},\"content_type\":\"text/x\"}",
    );
    write(
        &beside("bluegreen/leases/1.json", "internal"),
        "{\"checksum_crc32\":\"emyG8Q==\"}",
    );
    write(&beside("stale", "internal"), "{\"checksum_crc32\":\"old\"}");
    write(&format!("{BUCKET}/stale"), "two");
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    let stale = std::fs::File::options()
        .write(true)
        .open(root.join(BUCKET).join("stale"));
    stale
        .expect("it opens")
        .set_modified(later)
        .expect("it is set");

    let shop = Shop::on(folder);
    let enabled = "x-amz-checksum-mode: ENABLED";
    for (key, content, tag, crc) in [
        ("bluegreen/leases/1.json", "one", MD5_OF_ONE, "emyG8Q=="),
        ("parts", "two", "\"00-2\"", ""),
        ("stale", "two", "\"b8a9f715dbb64fd5c56e7783c6820a61\"", ""),
    ] {
        let got = shop
            .send(&format!("GET {BUCKET}/{key}"), &[enabled], "")
            .await
            .is(200);
        assert_eq!(got.body, content);
        let told = (got.header("etag"), got.header("x-amz-checksum-crc32"));
        assert_eq!(told, (tag, crc), "{key}");
    }
    let described = shop.get(&format!("{BUCKET}/bluegreen/leases/1.json")).await;
    let told = (
        described.header("content-type"),
        described.header("x-amz-meta-of"),
    );
    assert_eq!(told, ("text/x", "a"));
    assert_eq!(
        shop.get(&format!("{BUCKET}/shop/v1.zip"))
            .await
            .is(200)
            .body,
        "a source bundle"
    );
    assert!(!root.join(BUCKET).exists());
}

/// A thousand clients at once, half of which write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_are_answered() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let clients: Vec<_> = (0..1000)
        .map(|number| {
            let sandbox = sandbox.clone();
            let url = format!("http://127.0.0.1/{BUCKET}/k{}", number / 2);
            let request = match number % 2 {
                0 => Request::put(url).body(Bytes::from(vec![b'x'; 2000])),
                _ => Request::get(url).body(Bytes::new()),
            };
            let request = request.expect("a request");
            tokio::spawn(async move { sandbox.handle(request).await.expect("an answer").status() })
        })
        .collect();
    let mut answered = BTreeMap::new();
    for client in clients {
        let status = client.await.expect("no panic").as_u16();
        *answered.entry(status).or_insert(0) += 1;
    }
    assert!(
        answered.get(&200).is_some_and(|answered| *answered >= 500),
        "{answered:?}"
    );
    assert!(
        answered.keys().all(|status| [200, 404].contains(status)),
        "{answered:?}"
    );
    assert_eq!(sandbox.report().leftovers.objects.len(), 500);
}

/// A thousand clients of whom each makes an object where there is none: one of them does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_a_thousand_clients_makes_the_object() {
    let sandbox = Sandbox::open(Options::default()).expect("it opens");
    let clients: Vec<_> = (0..1000)
        .map(|number| {
            let sandbox = sandbox.clone();
            let request = Request::put(format!("http://127.0.0.1/{BUCKET}/lease"))
                .header("if-none-match", "*")
                .body(Bytes::from(format!("client {number}")))
                .expect("a request");
            tokio::spawn(async move { sandbox.handle(request).await.expect("an answer").status() })
        })
        .collect();
    let mut made = 0;
    for client in clients {
        match client.await.expect("no panic").as_u16() {
            200 => made += 1,
            status => assert_eq!(status, 412),
        }
    }
    assert_eq!(made, 1);
}
