//! What the flags and parameters say, and what has become of a hostname.

use super::*;

fn read(hosts: &[&str], zone: &str) -> Result<Option<Asked>, PreviewError> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    Asked::read(&hosts, Some(zone))
}

fn wanted(hosts: &[&str]) -> Wanted {
    let asked = read(hosts, "Z1").expect("it reads").expect("it asks");
    asked.resolve(&BTreeMap::new()).expect("it resolves")
}

fn cname(value: &str) -> Record {
    Record::Cname {
        ttl: 300,
        value: value.to_owned(),
    }
}

#[test]
fn hostnames_come_as_flags_a_json_list_or_with_commas() {
    let expected = ["a.example.com", "b.example.com"];
    for hosts in [
        &["a.example.com", "B.example.com."][..],
        &["a.example.com, b.example.com"],
        &[r#"["a.example.com","b.example.com"]"#],
        // As Python writes a list: DNXLabs/docker-beanstalk-bluegreen kept it so.
        &["['a.example.com','b.example.com']"],
        &[r#"[ 'a.example.com' , "b.example.com", ]"#],
    ] {
        assert_eq!(wanted(hosts).hosts, expected, "{hosts:?}");
    }
    assert_eq!(
        read(&["a.example.com"], "/hostedzone/Z1").map(|a| a.map(|a| a.zone)),
        Ok(Some(Given::Value("Z1".to_owned())))
    );
}

#[test]
fn no_hostname_is_no_preview() {
    assert_eq!(Asked::read(&[], None), Ok(None));
    assert_eq!(read(&[""], ""), Ok(None));
    assert_eq!(read(&["[]"], "Z1"), Ok(None));
    assert_eq!(read(&[""], "Z1"), Err(PreviewError::NoHosts));
    assert_eq!(read(&["a.example.com"], " "), Err(PreviewError::NoZone));
}

#[test]
fn what_is_malformed_is_refused_with_its_remedy() {
    for (hosts, zone, words) in [
        ("[a.example.com]", "Z1", "no JSON list of strings"),
        ("['a.example.com'", "Z1", "no JSON list of strings"),
        (
            "['a.example.com' 'b.example.com']",
            "Z1",
            "no JSON list of strings",
        ),
        ("[f'a.example.com']", "Z1", "no JSON list of strings"),
        ("['a.example.com'] * 2", "Z1", "no JSON list of strings"),
        (
            "[open('/etc/hosts').read()]",
            "Z1",
            "no JSON list of strings",
        ),
        (r"['a\x2eexample.com']", "Z1", "no JSON list of strings"),
        ("('a.example.com',)", "Z1", "expected a hostname"),
        ("[1]", "Z1", "no JSON list of strings"),
        ("localhost", "Z1", "\"localhost\""),
        ("a..example.com", "Z1", "such as preview.example.com"),
        ("https://a.example.com", "Z1", "expected a hostname"),
        ("*.example.com", "Z1", "expected a hostname"),
        ("a.example.com,", "Z1", "expected a hostname"),
        ("a.example.com", "Z 1", "\"Z 1\""),
        (
            "a.example.com",
            "arn:aws:route53:::hostedzone/Z1",
            "expected an id",
        ),
    ] {
        let error = read(&[hosts], zone).expect_err(hosts).to_string();
        assert!(error.contains(words), "{hosts} {zone}: {error}");
    }
    let twice = read(&["a.example.com", "A.example.com."], "Z1").expect("it reads");
    assert_eq!(
        twice.expect("it asks").resolve(&BTreeMap::new()),
        Err(PreviewError::Twice("a.example.com".to_owned()))
    );
    let many: Vec<String> = (0..21).map(|n| format!("a{n}.example.com")).collect();
    let many = read(&[&many.join(",")], "Z1")
        .expect("it reads")
        .expect("it asks");
    assert_eq!(
        many.resolve(&BTreeMap::new()),
        Err(PreviewError::TooMany(21))
    );
}

#[test]
fn parameters_hold_a_list_or_a_json_list_and_an_id() {
    let asked = read(&["ssm:/a", "ssm:/b", "c.example.com"], "ssm:/zone");
    let asked = asked.expect("it reads").expect("it asks");
    assert_eq!(asked.parameters(), ["/a", "/b", "/zone"]);
    let text = |text: &str| ParameterValue::Text(text.to_owned());
    let mut values = BTreeMap::from([
        (
            "/a".to_owned(),
            ParameterValue::List(vec!["a.example.com".to_owned()]),
        ),
        ("/b".to_owned(), text(" ['b.example.com'] ")),
        ("/zone".to_owned(), text("/hostedzone/Z1")),
    ]);
    let wanted = asked.resolve(&values).expect("it resolves");
    assert_eq!(wanted.zone_id, "Z1");
    assert_eq!(
        wanted.hosts,
        ["a.example.com", "b.example.com", "c.example.com"]
    );
    for (name, value) in [
        ("/b", "['hunter2.example.com', 7]"),
        ("/b", "['hunter2 ']"),
        ("/b", "hunter2.example.com"),
        ("/b", r#"["hunter2 "]"#),
        ("/b", r#"{"hunter2":1}"#),
        ("/zone", "hunter2!"),
    ] {
        let good = values
            .insert(name.to_owned(), text(value))
            .expect("a value");
        let error = asked.resolve(&values).expect_err(value).to_string();
        assert!(
            error.contains(name) && !error.contains("hunter2"),
            "{error}"
        );
        assert!(!format!("{values:?}").contains("hunter2"));
        values.insert(name.to_owned(), good);
    }
    values.remove("/a");
    assert!(asked.resolve(&values).is_err());
}

#[test]
fn hostnames_must_be_below_the_zones_name_and_not_productions() {
    let check = |host: &str| wanted(&[host]).check("example.com.", &["Shop.example.com."]);
    assert_eq!(check("a.b.example.com"), Ok(()));
    assert_eq!(
        check("example.com"),
        Err(PreviewError::Apex("example.com".to_owned()))
    );
    for (host, words) in [
        (
            "a.notexample.com",
            "not in hosted zone Z1, which is example.com",
        ),
        ("shop.example.com", "production's own name"),
    ] {
        let error = check(host).expect_err(host).to_string();
        assert!(error.contains(words) && error.contains(host), "{error}");
    }
}

#[test]
fn a_hostname_that_leads_to_production_now_is_refused() {
    let production = [
        "shop.us-east-1.elasticbeanstalk.com".to_owned(),
        "lb.example".to_owned(),
    ];
    let alias = RecordSet {
        kind: "A".to_owned(),
        alias_target: Some(AliasTarget {
            dns_name: "dualstack.lb.example.".to_owned(),
            ..AliasTarget::default()
        }),
        ..RecordSet::default()
    };
    for record in [
        cname("Shop.us-east-1.elasticbeanstalk.com."),
        Record::Other(vec![alias]),
    ] {
        let refused = wanted(&["a.example.com"]).begin(vec![record], &production);
        assert!(
            matches!(refused, Err(PreviewError::Production { .. })),
            "{refused:?}"
        );
    }
    let policy = RecordSet {
        kind: "A".to_owned(),
        traffic_policy_instance_id: Some("p".to_owned()),
        ..RecordSet::default()
    };
    let refused = wanted(&["a.example.com"]).begin(vec![Record::Other(vec![policy])], &production);
    assert_eq!(
        refused,
        Err(PreviewError::TrafficPolicy("a.example.com".to_owned()))
    );
}

#[test]
fn a_hostname_points_is_as_before_or_is_somebody_elses() {
    let host = "a.example.com";
    let begun = |before: Record| wanted(&[host]).begin(vec![before], &[]).expect("it begins");
    let preview = begun(cname("parked.example"));
    let standing = |seen: &Record| preview.standing(host, "blue.example", seen);
    assert_eq!(
        standing(&Record::preview("Blue.example.")),
        Hostname::Pointing
    );
    assert_eq!(standing(&cname("parked.example.")), Hostname::AsBefore);
    assert!(preview.is_put_back(host, &cname("parked.example")));
    let elsewhere = Hostname::Elsewhere("CNAME to theirs.example (TTL 300)".to_owned());
    assert_eq!(standing(&cname("theirs.example")), elsewhere);
    assert_eq!(
        standing(&Record::Absent),
        Hostname::Elsewhere("no record".to_owned())
    );
    // It led there before, to be cached for longer than a preview may be.
    let preview = begun(cname("blue.example"));
    let seen = cname("blue.example");
    assert_eq!(
        preview.standing(host, "blue.example", &seen),
        Hostname::AsBefore
    );
    // It was a preview of the same environment before: then there is nothing to do.
    let preview = begun(Record::preview("blue.example"));
    let seen = Record::preview("blue.example");
    assert_eq!(
        preview.standing(host, "blue.example", &seen),
        Hostname::Pointing
    );
    assert!(preview.is_put_back(host, &seen));
    let json = serde_json::to_string(&preview).expect("JSON");
    assert_eq!(
        serde_json::from_str::<Preview>(&json).expect("it reads"),
        preview
    );
}
