//! A redirect from http to https of the same host, which a test follows once. Pure.

use url::Url;

use super::answer::Answer;
use super::request::Request;
use super::test::AcceptanceTest;

impl AcceptanceTest {
    /// The request that an answer leads to where it sends http to https of the same host, as a
    /// load balancer's rule or an instance's proxy does (developer guide, "Configuring HTTP to
    /// HTTPS redirection"); none where it leads elsewhere, or passes as it is. It goes where the
    /// first one went.
    #[must_use]
    pub fn followed(&self, request: &Request, answer: &Answer) -> Option<Request> {
        let is_redirect = match answer.status {
            // These may turn any method into GET (RFC 9110, "301 Moved Permanently").
            301 | 302 => self.reads(),
            307 | 308 => true,
            _ => false,
        };
        if !is_redirect || self.expect_status.contains(&answer.status) {
            return None;
        }
        let from = Url::parse(&request.url).ok()?;
        let mut to = Url::parse(answer.location.as_ref()?).ok()?;
        let presented = request.host.as_deref().or(from.host_str())?;
        let presented = presented.split(':').next().unwrap_or_default();
        let is_same = to.host_str()?.eq_ignore_ascii_case(presented);
        if from.scheme() != "http" || to.scheme() != "https" || !is_same {
            return None;
        }
        to.set_host(from.host_str()).ok()?;
        Some(Request {
            url: to.into(),
            verifies_name: request.host.is_some(),
            ..request.clone()
        })
    }
}

/// The host that an answer redirects to; none where it does not.
pub fn led_to(answer: &Answer) -> Option<String> {
    let to = Url::parse(answer.location.as_ref()?).ok()?;
    to.host_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acceptance::Front;

    fn followed(test: &AcceptanceTest, status: u16, to: &str) -> Option<String> {
        let request = test.request(Front::Http, "shop.example", |_| None);
        let answer = Answer {
            status,
            location: Some(to.to_owned()),
            ..Answer::default()
        };
        let next = test.followed(&request.expect("no variable"), &answer)?;
        assert_eq!(next.verifies_name, test.host.is_some());
        Some(next.url)
    }

    /// An application load balancer's redirect action writes the port too: `#{protocol}`,
    /// `#{host}`, `#{port}` (API reference of Elastic Load Balancing, `RedirectActionConfig`).
    #[test]
    fn http_is_followed_to_https_of_the_same_host_and_nowhere_else() {
        let test = AcceptanceTest::get("/a?b=c");
        let there = Some("https://shop.example/a?b=c".to_owned());
        for status in [301, 302, 307, 308] {
            assert_eq!(
                followed(&test, status, "https://shop.example:443/a?b=c"),
                there
            );
        }
        let case = followed(&test, 301, "https://SHOP.example/a?b=c");
        assert_eq!(case, there);
        for to in [
            "https://www.shop.example/a",
            "http://shop.example/b",
            "/login",
            "https://",
        ] {
            assert_eq!(followed(&test, 301, to), None, "{to}");
        }
        assert_eq!(followed(&test, 303, "https://shop.example/a"), None);
        assert_eq!(followed(&test, 200, "https://shop.example/a"), None);
        let mut expected = test.clone();
        expected.expect_status = vec![301];
        assert_eq!(followed(&expected, 301, "https://shop.example/a"), None);
        let mut post = test.clone();
        post.method = "POST".to_owned();
        assert_eq!(followed(&post, 301, "https://shop.example/a?b=c"), None);
        assert_eq!(followed(&post, 308, "https://shop.example/a?b=c"), there);
        let https = AcceptanceTest::get("https://{cname}/");
        assert_eq!(followed(&https, 301, "https://shop.example/"), None);
    }

    /// The name that is presented is the site's, and the way there is the test's own.
    #[test]
    fn a_presented_name_is_kept_and_leads_nowhere() {
        let mut test = AcceptanceTest::get("/");
        test.host = Some("www.shop.example".to_owned());
        let there = followed(&test, 301, "https://www.shop.example/");
        assert_eq!(there.as_deref(), Some("https://shop.example/"));
        assert_eq!(followed(&test, 301, "https://shop.example/"), None);
    }
}
