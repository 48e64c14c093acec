//! Every check's other verdict, brought about in the sandbox: what `plan` says then, and what
//! `run` does.

use bluegreen::preflight::{Allowing, Check};
use bluegreen_sandbox::{Fault, FaultEffect, QuotaOf, Setting, Status, Tier, ZONE};
use serde_json::Value;

use crate::support::plans::{
    bad_digest, balanced_by, blue, found, nothing_was_written, option, planned, stderr,
};

use crate::support::policies::{OPERATIONS_ROLE, operate_with, promoting, without_statement};
use crate::support::served::Served;
use bluegreen_testing::sample::sampled;

/// From now on the files of AWS's own may not be read.
fn lack_assets(served: &Served) {
    let policy = without_statement("ReadAssets");
    served.sandbox.set_policy(Some(policy));
}

/// What brings a check about, and what it says then.
struct Case {
    check: &'static str,
    arguments: &'static [&'static str],
    spoil: fn(&Served),
    verdict: &'static str,
    says: &'static str,
}

impl Case {
    const fn of(
        check: &'static str,
        verdict: &'static str,
        says: &'static str,
        spoil: fn(&Served),
    ) -> Case {
        Case {
            check,
            arguments: &[],
            spoil,
            verdict,
            says,
        }
    }

    const fn with(self, arguments: &'static [&'static str]) -> Case {
        Case { arguments, ..self }
    }
}

fn cases() -> Vec<Case> {
    fn nothing(_: &Served) {}
    fn redirects(served: &Served) {
        served.inject(FaultEffect::VersionRedirects {
            label: "v1".to_owned(),
        });
    }
    vec![
        Case::of(
            "coupled-database",
            "refused",
            "a postgres database belongs to shop-blue",
            |s| {
                s.inject(FaultEffect::CoupledDatabase {
                    environment: blue(),
                });
            },
        ),
        Case::of(
            "platform-branch",
            "refused",
            "no environment can be created on it",
            |s| {
                s.inject(FaultEffect::PlatformBranch {
                    state: "Retired".to_owned(),
                });
            },
        ),
        Case::of("platform-branch", "warned", "is deprecated", |s| {
            s.inject(FaultEffect::PlatformBranch {
                state: "Deprecated".to_owned(),
            });
        }),
        Case::of("managed-update", "refused", "is due from", |s| {
            s.inject(FaultEffect::ManagedActionDue {
                environment: blue(),
                seconds: 1200,
            });
        }),
        Case::of("managed-update", "passed", "expected to be over", |s| {
            s.inject(FaultEffect::ManagedActionDue {
                environment: blue(),
                seconds: 90_000,
            });
        }),
        Case::of("managed-update", "warned", "as much later", |s| {
            s.inject(FaultEffect::ManagedActionDue {
                environment: blue(),
                seconds: 90_000,
            });
        })
        .with(&["--pause-before", "cutover"]),
        Case::of("quotas", "refused", "2 of 2 environments", |s| {
            s.inject(FaultEffect::Quota {
                of: QuotaOf::Environments,
                maximum: 2,
            });
        }),
        Case::of("quotas", "refused", "0 of 0 configuration templates", |s| {
            s.inject(FaultEffect::Quota {
                of: QuotaOf::Templates,
                maximum: 0,
            });
        }),
        Case::of("quotas", "refused", "1 of 1 Elastic IP addresses", |s| {
            s.inject(FaultEffect::SingleInstance {
                environment: blue(),
            });
            s.inject(FaultEffect::Quota {
                of: QuotaOf::Addresses,
                maximum: 1,
            });
        }),
        Case::of("green-cname", "warned", "is somebody's already", |s| {
            s.inject(FaultEffect::CnameTaken {
                prefix: "shop-blue-green".to_owned(),
            });
        }),
        Case::of(
            "green-name",
            "refused",
            "an environment named shop-blue-green exists",
            |s| {
                s.inject(FaultEffect::ForeignEnvironment {
                    name: "shop-blue-green".to_owned(),
                });
            },
        ),
        Case::of(
            "shared-load-balancer",
            "refused",
            "for www.shop.example forwards to it and does not follow a swap",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    world.add_rule("www.shop.example", "shop-blue", &[("team", "shop")]);
                });
            },
        ),
        // tmshkr/blue-green-beanstalk, `test/integration/shared_alb.test.ts`.
        Case::of(
            "shared-load-balancer",
            "passed",
            "only Elastic Beanstalk's own rule forwards to it",
            |s| {
                s.inject(FaultEffect::SharedBalancer {
                    environment: blue(),
                });
            },
        ),
        Case::of(
            "two-environments",
            "warned",
            "asks ops@shop.example to confirm",
            |s| {
                let topics = "aws:elasticbeanstalk:sns:topics";
                option(s, topics, "Notification Endpoint", "ops@shop.example");
            },
        ),
        Case::of(
            "two-environments",
            "warned",
            "another Elastic IP address",
            |s| {
                s.inject(FaultEffect::SingleInstance {
                    environment: blue(),
                });
            },
        ),
        Case::of(
            "shared-load-balancer",
            "passed",
            "1 of its rules follow production",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    let tags = [("bluegreen:follow", "production")];
                    world.add_rule("www.shop.example", "shop-blue", &tags);
                });
            },
        ),
        Case::of("credentials", "refused", "210987654321", |s| {
            let role = "arn:aws:iam::210987654321:role/releases";
            s.sandbox.with_world(|world, _| world.assume(Some(role)));
        }),
        Case::of(
            "dns-records",
            "refused",
            "direct.shop.example. of shop.example leads to awseb-",
            |s| in_the_zone(s, "CNAME", &endpoint(s)),
        ),
        Case::of("dns-records", "refused", "past the CNAME", |s| {
            in_the_zone(s, "CNAME", &endpoint(s));
            s.sandbox.set_policy(Some(promoting()));
        })
        .with(&["--strategy", "promote"]),
        // ingenieux/beanstalker#48: the apex leads to the load balancer.
        Case::of(
            "dns-records",
            "refused",
            "direct.shop.example. of shop.example leads to awseb-",
            |s| {
                let (_, addresses) = s
                    .sandbox
                    .with_world(|world, _| world.look_up(&world.environment("shop-blue")?.endpoint))
                    .expect("it has addresses");
                in_the_zone(s, "A", &addresses[0].to_string());
            },
        ),
        Case::of(
            "dns-records",
            "refused",
            "www.mysite.example, as DNS tells, leads to awseb-",
            |s| elsewhere(s, "www.mysite.example", &endpoint(s)),
        )
        .with(PRESENTS_THE_SITE),
        Case::of(
            "dns-records",
            "refused",
            "www.mysite.example, as DNS tells, leads to 203.0.113.",
            |s| {
                s.inject(FaultEffect::SingleInstance {
                    environment: blue(),
                });
                elsewhere(s, "www.mysite.example", &endpoint(s));
            },
        )
        .with(PRESENTS_THE_SITE),
        // A provider that flattens CNAMEs tells no more than one that holds addresses.
        Case::of(
            "dns-records",
            "warned",
            "www.mysite.example holds addresses of awseb-",
            |s| {
                let address = s.sandbox.with_world(|world, _| {
                    let (_, addresses) = world.look_up(bluegreen_sandbox::PRODUCTION)?;
                    addresses.first().map(ToString::to_string)
                });
                elsewhere(s, "www.mysite.example", &address.expect("an address"));
            },
        )
        .with(PRESENTS_THE_SITE),
        Case::of("dns-records", "passed", "no record of", |s| {
            elsewhere(s, "www.mysite.example", bluegreen_sandbox::PRODUCTION);
        })
        .with(PRESENTS_THE_SITE),
        Case::of(
            "dns-records",
            "unknown",
            "DNS does not answer for www.mysite.example",
            |s| s.inject(FaultEffect::DnsFails),
        )
        .with(PRESENTS_THE_SITE),
        // DNXLabs/docker-beanstalk-bluegreen, RELEASE_HEALTH_CHECKING_PATH: the site's own URL.
        Case::of(
            "tests",
            "refused",
            "asks www.mysite.example, which leads to production",
            |s| elsewhere(s, "www.mysite.example", bluegreen_sandbox::PRODUCTION),
        )
        .with(ASKS_THE_SITE),
        Case::of(
            "tests",
            "refused",
            "asks www.mysite.example, which leads to production",
            |s| {
                let address = s.sandbox.with_world(|world, _| {
                    let (_, addresses) = world.look_up(bluegreen_sandbox::PRODUCTION)?;
                    addresses.first().map(ToString::to_string)
                });
                elsewhere(s, "www.mysite.example", &address.expect("an address"));
            },
        )
        .with(ASKS_THE_SITE),
        Case::of("tests", "warned", "nothing tells that this is blue", |s| {
            s.inject(FaultEffect::DnsFails);
        })
        .with(ASKS_THE_SITE),
        Case::of(
            "request-count",
            "warned",
            "there is no load balancer",
            |s| {
                s.inject(FaultEffect::SingleInstance {
                    environment: blue(),
                });
                basic_health(s);
            },
        ),
        Case::of(
            "request-count",
            "passed",
            "three minutes late",
            basic_health,
        ),
        Case::of("request-count", "unknown", "GetMetricData", |s| {
            basic_health(s);
            s.deny("cloudwatch:GetMetricData");
        }),
        Case::of(
            "unmanaged-changes",
            "warned",
            "has the web ACL shop of AWS WAF, the listener on port 8443 (HTTPS), the default \
             action redirect on port 80, the rule with priority 7 on port 80, for /admin/*, the \
             certificate arn:aws:acm:us-east-1:123456789012:certificate/2 on port 443, the target \
             group extra, which Elastic Beanstalk does not clone unless the version's \
             .ebextensions make it: while users are on green, production is without",
            changed_by_hand,
        ),
        Case::of(
            "unmanaged-changes",
            "warned",
            "production is without from the swap on, for good",
            |s| {
                changed_by_hand(s);
                s.sandbox.set_policy(Some(promoting()));
            },
        )
        .with(&["--strategy", "promote"]),
        Case::of(
            "unmanaged-changes",
            "warned",
            "production is without; there may be more: GetWebACLForResource",
            |s| {
                changed_by_hand(s);
                s.deny("wafv2:GetWebACLForResource");
            },
        ),
        Case::of(
            "unmanaged-changes",
            "unknown",
            "GetWebACLForResource",
            |s| {
                s.deny("wafv2:GetWebACLForResource");
            },
        ),
        Case::of(
            "unmanaged-changes",
            "passed",
            "blue has no load balancer",
            |s| {
                s.inject(FaultEffect::SingleInstance {
                    environment: blue(),
                });
            },
        ),
        Case::of("unmanaged-changes", "passed", "they share it", |s| {
            s.inject(FaultEffect::SharedBalancer {
                environment: blue(),
            });
        }),
        Case::of("bucket", "refused", "took a write whose condition", |s| {
            s.inject(FaultEffect::ConditionsIgnored);
        }),
        Case::of(
            "tests",
            "warned",
            "--test-green=false changes nothing with --strategy promote",
            // A promotion terminates blue in the end.
            |s| s.sandbox.set_policy(Some(promoting())),
        )
        .with(&["--strategy", "promote", "--test-green=false"]),
        Case::of("single-instance", "warned", "a single instance", |s| {
            s.inject(FaultEffect::SingleInstance {
                environment: blue(),
            });
        }),
        Case::of("blue-healthy", "refused", "shop-blue is Updating", |s| {
            s.sandbox.with_world(|world, _| {
                world.environment_mut("shop-blue").expect("blue").status = Status::Updating;
            });
        }),
        Case::of("worker-tier", "refused", "is a worker environment", nothing)
            .with(&["--blue", "shop-worker"]),
        // The model has three tiers: WebServer/Standard, Worker/SQS/HTTP and Cluster/EKS.
        Case::of("worker-tier", "refused", "is of tier Cluster/EKS", |s| {
            s.sandbox.with_world(|world, _| {
                world.environment_mut("shop-blue").expect("blue").tier = Tier::Cluster;
            });
        }),
        Case::of("version", "refused", "has no source bundle", |s| {
            s.sandbox.with_world(|world, _| {
                let mut versions = world.view.versions.iter_mut();
                let v2 = versions.find(|v| v.label == "v2").expect("v2");
                v2.bucket.clear();
            });
        })
        .with(&["--version-label", "v2"]),
        Case::of("platform-branch", "passed", "of a custom platform", |s| {
            s.inject(FaultEffect::CustomPlatform {
                environment: blue(),
            });
        }),
        Case::of("version", "refused", "has no version v9", nothing)
            .with(&["--version-label", "v9"]),
        Case::of("version", "refused", "shop/gone.zip is gone", |s| {
            s.sandbox.with_world(|world, _| {
                "shop/gone.zip".clone_into(&mut world.view.versions[1].key);
            });
        }),
        Case::of(
            "previous-version",
            "refused",
            "has lost its bundle s3://shop-artifacts/shop/gone.zip",
            lose_the_running_bundle,
        ),
        Case::of(
            "previous-version",
            "warned",
            "cannot launch further instances",
            |s| {
                s.sandbox.set_policy(Some(promoting()));
                lose_the_running_bundle(s);
            },
        )
        .with(&["--strategy", "promote"]),
        Case::of(
            "previous-version",
            "refused",
            "version v1, which shop-blue runs, is not registered any more",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.view.versions.retain(|version| version.label != "v1");
                });
            },
        ),
        Case::of("previous-version", "unknown", "answered 403", |s| {
            s.inject(Fault {
                operation: Some("HeadObject".to_owned()),
                ..Fault::from(FaultEffect::Refuse {
                    status: 403,
                    code: "AccessDenied".to_owned(),
                    message: "Access Denied".to_owned(),
                })
            });
        }),
        Case::of(
            "scheduled-actions",
            "refused",
            "BlackFriday (2020-11-27T00:00:00Z): Auto Scaling refuses them",
            |s| {
                scheduled(s, "BlackFriday", &[("StartTime", "2020-11-27T00:00:00Z")]);
            },
        ),
        Case::of("scheduled-actions", "warned", "green too", |s| {
            scheduled(s, "Nightly", &[("Recurrence", "0 22 * * *")]);
            scheduled(s, "Nightly", &[("StartTime", "2020-11-27T00:00:00Z")]);
        }),
        Case::of("scheduled-actions", "warned", "not in the form", |s| {
            scheduled(s, "Odd", &[("StartTime", "next Friday")]);
        }),
        Case::of("scheduled-actions", "passed", "no scheduled action", |s| {
            scheduled(s, "Later", &[("StartTime", "2199-11-27T00:00:00Z")]);
            let suspended = [("StartTime", "2020-11-27T00:00:00Z"), ("Suspend", "true")];
            scheduled(s, "Suspended", &suspended);
        }),
        Case::of(
            "launch-options",
            "refused",
            "access_logs.s3.prefix = shop/",
            |s| {
                let balancer = "aws:elbv2:loadbalancer";
                option(s, balancer, "access_logs.s3.prefix", "shop/");
            },
        ),
        Case::of(
            "launch-options",
            "refused",
            "AWS has retired options that shop-blue has, aws:elasticbeanstalk:environment:Domain",
            |s| {
                option(s, "aws:elasticbeanstalk:environment", "Domain", "shop");
                s.inject(FaultEffect::RetiredOption {
                    namespace: "aws:elasticbeanstalk:environment".to_owned(),
                    name: "Domain".to_owned(),
                });
            },
        ),
        Case::of(
            "launch-options",
            "unknown",
            "ValidateConfigurationSettings",
            |s| s.deny("elasticbeanstalk:ValidateConfigurationSettings"),
        ),
        Case::of("launch-options", "passed", "no option", |s| {
            let balancer = "aws:elbv2:loadbalancer";
            option(s, balancer, "access_logs.s3.prefix", "shop/web");
        }),
        Case::of(
            "something-new",
            "refused",
            "runs version v1 already",
            nothing,
        )
        .with(&["--version-label", "v1"]),
        Case::of("bucket", "refused", "there is no bucket nowhere", nothing)
            .with(&["--bucket", "nowhere"]),
        Case::of("bucket", "passed", "is there", nothing).with(&["--no-shared-state"]),
        Case::of(
            "tests",
            "refused",
            "which green holds while blue is tested",
            nothing,
        )
        .with(&["--test-url", "http://shop.us-east-1.elasticbeanstalk.com/"]),
        // A CNAME to production.
        Case::of(
            "tests",
            "refused",
            "www.shop.example, which leads to production",
            nothing,
        )
        .with(&["--test-url", "http://www.shop.example/"]),
        // DNS tells it where the zones may not be read.
        Case::of(
            "tests",
            "refused",
            "asks www.shop.example, which leads to production",
            |s| s.deny("route53:ListHostedZones"),
        )
        .with(&["--test-url", "http://www.shop.example/"]),
        Case::of(
            "tests",
            "warned",
            "nothing tells that this is blue",
            nothing,
        )
        .with(&["--test-url", "http://elsewhere.example/"]),
        Case::of("tests", "warned", "that others share", |s| {
            s.sandbox.with_world(|world, _| {
                world.share_load_balancer("shop-blue");
                let tags = [("bluegreen:follow", "production")];
                world.add_rule("www.shop.example", "shop-blue", &tags);
            });
        })
        .with(&["--test", "{ url = \"/\", host = \"www.shop.example\" }"]),
        Case::of("tests", "passed", "from blue itself", nothing)
            .with(&["--test-url", "http://{cname}/health"]),
        Case::of("tests", "passed", "answers 200 OK", nothing),
        // It may not be asked of production.
        Case::of(
            "tests",
            "passed",
            "requests /health from blue itself",
            nothing,
        )
        .with(&[
            "--test",
            "{ url = \"/health\", method = \"POST\", expect-status = [405] }",
        ]),
        Case::of("tests", "refused", "answered 401 Unauthorized", |s| {
            s.inject(FaultEffect::VersionAnswers {
                label: "v1".to_owned(),
                status: 401,
            });
        }),
        Case::of(
            "tests",
            "passed",
            "answers 200 OK by https, where a 301 leads",
            |s| {
                redirects(s);
                option(s, "aws:elbv2:listener:443", "Protocol", "HTTPS");
            },
        ),
        Case::of("tests", "refused", "by https, where a 301 leads", redirects),
        Case::of(
            "tests",
            "passed",
            "answers 301 Moved Permanently",
            redirects,
        )
        .with(&["--expect-status", "301"]),
        Case::of("tests", "passed", "answers 200 OK", |s| {
            option(s, "aws:elbv2:listener:443", "Protocol", "HTTPS");
            option(s, "aws:elbv2:listener:default", "ListenerEnabled", "false");
        }),
        // Nothing listens.
        Case::of("tests", "refused", "connection closed", |s| {
            option(s, "aws:elbv2:listener:default", "ListenerEnabled", "false");
        }),
        Case::of("tests", "passed", "from blue itself", nothing).with(&[
            "--test-url",
            "http://preview.shop.example/",
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            ZONE,
        ]),
        Case::of(
            "preview-hosts",
            "refused",
            "www.shop.example serves production",
            nothing,
        )
        .with(&[
            "--preview-host",
            "www.shop.example",
            "--hosted-zone-id",
            ZONE,
        ]),
        Case::of(
            "preview-hosts",
            "refused",
            "there is no hosted zone Z0NONE",
            // The shipped policy names the one zone that is used.
            |s| s.sandbox.set_policy(None),
        )
        .with(&[
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            "Z0NONE",
        ]),
        Case::of("preview-hosts", "refused", "GetHostedZone", |s| {
            s.deny("route53:GetHostedZone")
        })
        .with(&[
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            ZONE,
        ]),
        Case::of(
            "expected-differences",
            "warned",
            "has no aws:elasticbeanstalk:command:Timeout, tag none:",
            nothing,
        )
        .with(&[
            "--expect-difference",
            "aws:elasticbeanstalk:command:Timeout,aws:autoscaling:asg:MaxSize,tag none,version",
        ]),
        Case::of("expected-differences", "passed", "shop-blue has", nothing).with(&[
            "--expect-difference",
            "aws:autoscaling:asg:MaxSize[AWSEBAutoScalingGroup],tag team,platform",
        ]),
        Case::of(
            "application",
            "refused",
            "there is no application nope",
            nothing,
        )
        .with(&["--app", "nope"]),
        Case::of(
            "environments",
            "refused",
            "there is no environment nope",
            nothing,
        )
        .with(&["--blue", "nope"]),
        Case::of("bucket", "unknown", "for another reason", |s| {
            s.inject(bad_digest());
        }),
        // What a release needs to read.
        Case::of(
            "coupled-database",
            "refused",
            "DescribeConfigurationSettings",
            |s| s.deny("elasticbeanstalk:DescribeConfigurationSettings"),
        ),
        Case::of(
            "shared-load-balancer",
            "refused",
            "DescribeConfigurationSettings",
            |s| s.deny("elasticbeanstalk:DescribeConfigurationSettings"),
        ),
        Case::of(
            "blue-healthy",
            "refused",
            "DescribeEnvironmentHealth",
            |s| s.deny("elasticbeanstalk:DescribeEnvironmentHealth"),
        ),
        Case::of("tags", "refused", "ListTagsForResource", |s| {
            s.deny("elasticbeanstalk:ListTagsForResource")
        }),
        Case::of("shared-load-balancer", "refused", "DescribeRules", |s| {
            s.sandbox
                .with_world(|world, _| world.share_load_balancer("shop-blue"));
            s.deny("elasticloadbalancing:DescribeRules");
        }),
        Case::of("alarms", "refused", "shop-none", nothing).with(&["--alarm", "shop-none"]),
        Case::of(
            "permissions",
            "refused",
            "elasticbeanstalk:UpdateEnvironment",
            |s| s.deny("elasticbeanstalk:UpdateEnvironment"),
        ),
        Case::of(
            "permissions",
            "warned",
            "environment/shop/shop-blue-green, which AWS may need",
            |s| s.deny("elasticbeanstalk:AddTags"),
        ),
        Case::of("permissions", "refused", "ec2:RunInstances", |s| {
            s.deny("ec2:RunInstances")
        }),
        Case::of(
            "permissions",
            "refused",
            "elasticloadbalancing:CreateTargetGroup",
            |s| s.deny("elasticloadbalancing:CreateTargetGroup"),
        ),
        // The service's default, and of another type than most of the policy is for.
        Case::of(
            "permissions",
            "refused",
            "elasticloadbalancing:ConfigureHealthCheck",
            |s| {
                balanced_by(s, "classic");
                s.deny("elasticloadbalancing:ConfigureHealthCheck");
            },
        ),
        Case::of("permissions", "refused", "loadbalancer/net/awseb-", |s| {
            balanced_by(s, "network");
            s.deny("elasticloadbalancing:CreateLoadBalancer");
        }),
        Case::of(
            "permissions",
            "refused",
            "elasticloadbalancing:CreateRule on",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    let tags = [("bluegreen:follow", "production")];
                    world.add_rule("www.shop.example", "shop-blue", &tags);
                });
                s.deny("elasticloadbalancing:CreateRule");
            },
        ),
        // What the deploy onto blue needs by its policy is asked before green is made.
        Case::of(
            "permissions",
            "refused",
            "autoscaling:AttachInstances on",
            |s| {
                option(
                    s,
                    "aws:elasticbeanstalk:command",
                    "DeploymentPolicy",
                    "Immutable",
                );
                s.deny("autoscaling:AttachInstances");
            },
        ),
        Case::of("permissions", "passed", "may do all", |s| {
            s.deny("autoscaling:AttachInstances")
        }),
        // An account needs this once, and may have it already.
        Case::of(
            "permissions",
            "warned",
            "iam:CreateServiceLinkedRole on",
            |s| s.deny("iam:CreateServiceLinkedRole"),
        ),
        // What is missing beneath an operations role is not the caller's to have, but the role is
        // his to pass.
        Case::of("permissions", "passed", "may do all", |s| {
            operate_with(&s.sandbox, OPERATIONS_ROLE);
            s.deny("ec2:RunInstances");
        }),
        Case::of(
            "permissions",
            "refused",
            "user/sandbox has no permission for iam:PassRole on arn:aws:iam::123456789012:role/other",
            |s| operate_with(&s.sandbox, "arn:aws:iam::123456789012:role/other"),
        ),
        // Reading blue's settings needs files of AWS's own.
        Case::of(
            "coupled-database",
            "refused",
            "s3://elasticbeanstalk-env-resources-us-east-1/eb_patching_resources/",
            lack_assets,
        ),
        // The roles are those that blue names.
        Case::of("permissions", "refused", "role/ci/watch", |s| {
            option(
                s,
                "aws:elasticbeanstalk:environment",
                "ServiceRole",
                "ci/watch",
            );
        }),
        Case::of(
            "permissions",
            "refused",
            "role/shop-web: blue has no operations role, so that it does this with the rights of \
             arn:aws:iam::123456789012:user/sandbox; the role in the instance profile shop-web is \
             taken to have its name",
            |s| {
                let launch = "aws:autoscaling:launchconfiguration";
                option(s, launch, "IamInstanceProfile", "shop-web");
            },
        ),
        // The option tells it without its path (developer guide, "Using service-linked roles for
        // Elastic Beanstalk").
        Case::of("permissions", "passed", "may do all", |s| {
            option(
                s,
                "aws:elasticbeanstalk:environment",
                "ServiceRole",
                "AWSServiceRoleForElasticBeanstalk",
            );
        }),
        // The key that is asked for is to be used with the same rights.
        Case::of(
            "permissions",
            "refused",
            "user/sandbox has no permission for kms:Decrypt on arn:aws:kms:us-east-1:123456789012:key/1234abcd-",
            |s| s.deny("kms:Decrypt"),
        )
        .with(&[
            "--sse",
            "aws:kms:arn:aws:kms:us-east-1:123456789012:key/\
             1234abcd-12ab-34cd-56ef-1234567890ab",
        ]),
        Case::of("dns-records", "passed", "no record of", |s| {
            let other = ("Z0OTHEREXAMPLE0000001", "other.example");
            s.sandbox
                .with_world(|world, _| world.add_zone(other.0, other.1));
        }),
        Case::of("bucket", "refused", "PutObject", |s| s.deny("s3:PutObject")),
        Case::of(
            "permissions",
            "refused",
            "route53:ChangeResourceRecordSets",
            |s| s.deny("route53:ChangeResourceRecordSets"),
        )
        .with(&[
            "--preview-host",
            "preview.shop.example",
            "--hosted-zone-id",
            "Z0SHOPEXAMPLE00000001",
        ]),
        Case::of(
            "permissions",
            "refused",
            "elasticloadbalancing:ModifyRule",
            |s| {
                s.sandbox.with_world(|world, _| {
                    world.share_load_balancer("shop-blue");
                    let tags = [("bluegreen:follow", "production")];
                    world.add_rule("www.shop.example", "shop-blue", &tags);
                });
                s.deny("elasticloadbalancing:ModifyRule");
            },
        ),
        Case::of(
            "permissions",
            "unknown",
            "iam:SimulatePrincipalPolicy",
            |s| s.deny("iam:SimulatePrincipalPolicy"),
        ),
        Case::of("green-cname", "unknown", "CheckDNSAvailability", |s| {
            s.deny("elasticbeanstalk:CheckDNSAvailability")
        }),
        Case::of("quotas", "unknown", "DescribeAccountAttributes", |s| {
            s.deny("elasticbeanstalk:DescribeAccountAttributes")
        }),
        Case::of(
            "managed-update",
            "unknown",
            "DescribeEnvironmentManagedActions",
            |s| s.deny("elasticbeanstalk:DescribeEnvironmentManagedActions"),
        ),
        Case::of(
            "platform-branch",
            "unknown",
            "DescribePlatformVersion",
            |s| s.deny("elasticbeanstalk:DescribePlatformVersion"),
        ),
        Case::of("dns-records", "unknown", "ListHostedZones", |s| {
            s.deny("route53:ListHostedZones")
        }),
        Case::of("tags", "refused", "40 tags of its own", |s| {
            s.sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue");
                blue.tags = (0..40).map(|n| (format!("t{n}"), String::new())).collect();
            });
        }),
        Case::of(
            "security-groups",
            "refused",
            "(shop-database) admits",
            |s| {
                s.inject(FaultEffect::GroupAdmits {
                    group: "shop-database".to_owned(),
                    environment: blue(),
                });
            },
        ),
        Case::of(
            "security-groups",
            "refused",
            "could not be terminated",
            |s| {
                s.inject(FaultEffect::GroupAdmits {
                    group: "shop-database".to_owned(),
                    environment: blue(),
                });
            },
        )
        .with(&["--strategy", "promote"]),
        Case::of(
            "security-groups",
            "unknown",
            "DescribeSecurityGroups",
            |s| s.deny("ec2:DescribeSecurityGroups"),
        )
        .with(&["--allow", "permissions"]),
        Case::of(
            "security-groups",
            "passed",
            "has made no security group",
            |s| {
                s.sandbox.with_world(|world, _| {
                    let launch = "aws:autoscaling:launchconfiguration";
                    world.set(
                        "shop-blue",
                        launch,
                        "DisableDefaultEC2SecurityGroup",
                        "true",
                    );
                });
            },
        ),
        Case::of("deployment-policy", "warned", "TrafficSplitting", |s| {
            s.sandbox.with_world(|world, _| {
                let blue = world.environment_mut("shop-blue").expect("blue");
                blue.settings.retain(|s| s.name != "DeploymentPolicy");
                blue.settings.push(bluegreen_sandbox::Setting::new(
                    "aws:elasticbeanstalk:command",
                    "DeploymentPolicy",
                    "TrafficSplitting",
                ));
            });
        }),
    ]
}

/// A test that asks the site by its own name, of the version to release alone: what the running
/// one answers is another matter.
const ASKS_THE_SITE: &[&str] = &[
    "--test",
    "{ url = \"http://www.mysite.example/\", on = \"release\" }",
];
/// A test that presents the site's name.
const PRESENTS_THE_SITE: &[&str] = &["--test", "{ url = \"/\", host = \"www.mysite.example\" }"];

fn basic_health(served: &Served) {
    served.sandbox.with_world(|world, _| {
        world.environment_mut("shop-blue").expect("blue").enhanced = false;
    });
}

/// Everything that somebody can put onto blue's load balancer by hand, beside a listener, a rule
/// and certificates that its settings tell.
fn changed_by_hand(served: &Served) {
    let certificate = |number| format!("arn:aws:acm:us-east-1:123456789012:certificate/{number}");
    option(served, "aws:elbv2:listener:443", "Protocol", "HTTPS");
    option(
        served,
        "aws:elbv2:listener:443",
        "SSLCertificateArns",
        &certificate(1),
    );
    option(served, "aws:elbv2:listener:default", "Rules", "api");
    option(
        served,
        "aws:elbv2:listenerrule:api",
        "PathPatterns",
        "/api/*",
    );
    option(served, "aws:elbv2:listenerrule:api", "Priority", "3");
    let balancer = served
        .sandbox
        .with_world(|world, _| world.own_balancer("shop-blue"));
    let balancer = balancer.expect("blue has one of its own");
    let listener = |port: u16| {
        let path = balancer.replacen(":loadbalancer/", ":listener/", 1);
        format!("{path}/{port:016x}")
    };
    let (plain, secure) = (listener(80), listener(443));
    let elb = |form: &[(&str, &str)]| -> String {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form).append_pair("Version", "2015-12-01");
        by_hand(served, "elasticloadbalancing", None, body.finish())
    };
    let group = elb(&[("Action", "CreateTargetGroup"), ("Name", "extra")]);
    let (_, group) = group.split_once("<TargetGroupArn>").expect("it is told");
    let (group, _) = group.split_once("</TargetGroupArn>").expect("it is told");
    elb(&[
        ("Action", "CreateRule"),
        ("ListenerArn", &plain),
        ("Priority", "7"),
        ("Conditions.member.1.Field", "path-pattern"),
        ("Conditions.member.1.Values.member.1", "/admin/*"),
        ("Actions.member.1.Type", "forward"),
        ("Actions.member.1.TargetGroupArn", group),
    ]);
    elb(&[
        ("Action", "AddListenerCertificates"),
        ("ListenerArn", &secure),
        ("Certificates.member.1.CertificateArn", &certificate(2)),
    ]);
    elb(&[
        ("Action", "ModifyListener"),
        ("ListenerArn", &plain),
        ("DefaultActions.member.1.Type", "redirect"),
        (
            "DefaultActions.member.1.RedirectConfig.StatusCode",
            "HTTP_301",
        ),
    ]);
    elb(&[
        ("Action", "CreateListener"),
        ("LoadBalancerArn", &balancer),
        ("Port", "8443"),
        ("Protocol", "HTTPS"),
        ("DefaultActions.member.1.Type", "fixed-response"),
    ]);
    let acl = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/shop/1";
    let input = serde_json::json!({ "WebACLArn": acl, "ResourceArn": balancer });
    let target = Some("AWSWAF_20190729.AssociateWebACL");
    by_hand(served, "wafv2", target, input.to_string());
}

/// What somebody with every permission asks of a service; its answer.
fn by_hand(served: &Served, service: &str, target: Option<&str>, body: String) -> String {
    let signature =
        format!("AWS4-HMAC-SHA256 Credential=A/20270115/us-east-1/{service}/aws4_request");
    let mut request = http::Request::post(format!("http://{service}.us-east-1.amazonaws.com/"))
        .header("authorization", signature);
    if let Some(target) = target {
        request = request.header("x-amz-target", target);
    }
    let answer = served.by_hand(request.body(body.into()).expect("a request"));
    let told = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(answer.status(), 200, "{told}");
    told
}

/// The name of blue's load balancer, or the address of its only instance.
fn endpoint(served: &Served) -> String {
    served.sandbox.with_world(|world, _| {
        let blue = world.environment("shop-blue").expect("blue");
        blue.endpoint.clone()
    })
}

/// A record at a DNS provider that is none of the account's.
fn elsewhere(served: &Served, name: &str, value: &str) {
    served.inject(FaultEffect::DnsRecord {
        name: name.to_owned(),
        value: value.to_owned(),
    });
}

/// Somebody's record of `direct.shop.example` in the account's own zone.
fn in_the_zone(served: &Served, kind: &str, value: &str) {
    let xml = format!(
        "<ChangeResourceRecordSetsRequest xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\">\
         <ChangeBatch><Changes><Change><Action>CREATE</Action><ResourceRecordSet>\
         <Name>direct.shop.example</Name><Type>{kind}</Type><TTL>60</TTL><ResourceRecords>\
         <ResourceRecord><Value>{value}</Value></ResourceRecord></ResourceRecords>\
         </ResourceRecordSet></Change></Changes></ChangeBatch>\
         </ChangeResourceRecordSetsRequest>"
    );
    let path = format!("http://route53.amazonaws.com/2013-04-01/hostedzone/{ZONE}/rrset");
    let request = http::Request::post(path)
        .header("host", "route53.amazonaws.com")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=A/20270115/us-east-1/route53/aws4_request",
        )
        .body(xml.into());
    assert_eq!(served.by_hand(request.expect("a request")).status(), 200);
}

/// The bundle of the version that blue runs is gone.
fn lose_the_running_bundle(served: &Served) {
    served.sandbox.with_world(|world, _| {
        "shop/gone.zip".clone_into(&mut world.view.versions[0].key);
    });
}

/// Gives blue options of a scheduled action.
fn scheduled(served: &Served, name: &str, options: &[(&str, &str)]) {
    served.sandbox.with_world(|world, _| {
        let blue = world.environment_mut("shop-blue").expect("blue");
        let namespace = "aws:autoscaling:scheduledaction";
        blue.settings
            .extend(options.iter().map(|(option, value)| Setting {
                resource: Some(name.to_owned()),
                ..Setting::new(namespace, option, value)
            }));
    });
}

/// Checks whose other verdict is not one of [`cases`], and the test that has it.
const ELSEWHERE: [(Check, &str); 2] = [
    (
        Check::TerminationProtection,
        "a_promotion_and_its_pause_are_planned",
    ),
    (Check::FreeTarget, "what_was_allowed_is_kept_and_shown"),
];

/// That each passes is told by the plan of a world in order.
#[test]
fn every_check_has_its_other_verdict_tested() {
    let cases = cases();
    for checked in Check::ALL {
        let refuses_nothing =
            matches!(checked.about().allowing, Allowing::Never(why) if why == "it refuses nothing");
        let other = match refuses_nothing {
            true => "warned",
            false => "refused",
        };
        let tested = cases
            .iter()
            .any(|case| case.check == checked.name() && case.verdict == other);
        let elsewhere = ELSEWHERE.iter().any(|(check, _)| *check == checked);
        assert!(tested != elsewhere, "{checked} is to be {other} once");
    }
    for case in cases {
        let mut all = Check::ALL.into_iter();
        let known = all.any(|check| check.name() == case.check);
        assert!(known, "there is no check {}", case.check);
    }
}

/// The other verdicts; that all of them pass is told by the plan of a world in order. What
/// `plan` refuses `run` refuses with the same words, and changes nothing; what may be
/// allowed is.
#[test]
fn every_check_says_what_is_wrong() {
    let mut failed = Vec::new();
    for case in sampled("verdicts", cases(), 15) {
        let told = format!("{} {}: {}", case.check, case.verdict, case.says);
        if std::panic::catch_unwind(|| says_what_is_wrong(&case)).is_err() {
            failed.push(told);
        }
    }
    assert_eq!(failed, [""; 0]);
}

/// Without AWS's own files nothing is known of blue's settings, so that allowing what the
/// permissions refuse is not enough.
#[test]
fn a_missing_right_to_files_of_awss_own_is_told_and_cannot_be_allowed_away() {
    const SAYS: &str = "s3:GetObject on arn:aws:s3:::elasticbeanstalk-env-resources-us-east-1/";
    let served = Served::at_speed(1.0);
    lack_assets(&served);
    let (code, document) = planned(&served, &[]);
    let (verdict, evidence) = found(&document, "permissions");
    assert_eq!(verdict, "refused", "{evidence}");
    assert_eq!(code, Some(3), "{document:#}");
    assert!(evidence.contains(SAYS), "{evidence}");
    let run = served.run(&["run"]);
    assert_eq!(run.status.code(), Some(3), "{}", stderr(&run));
    assert!(stderr(&run).contains(SAYS), "{}", stderr(&run));
    let (code, document) = planned(&served, &["--allow", "permissions"]);
    assert_eq!(code, Some(3), "{document:#}");
    assert_eq!(found(&document, "permissions").0, "allowed");
    assert_eq!(found(&document, "coupled-database").0, "refused");
    nothing_was_written(&served, &["ChangeResourceRecordSets"]);
}

#[track_caller]
fn says_what_is_wrong(case: &Case) {
    // Nothing here waits for anything.
    let served = Served::at_speed(1.0);
    (case.spoil)(&served);
    let name = case.check;
    let (code, document) = planned(&served, case.arguments);
    let (verdict, evidence) = found(&document, name);
    assert_eq!(verdict, case.verdict, "{name}: {evidence}");
    assert!(evidence.contains(case.says), "{name}: {evidence}");
    let refuses = verdict == "refused";
    assert_eq!(code, Some(if refuses { 3 } else { 0 }), "{document:#}");
    if refuses && name == "something-new" {
        // A run that is repeated has nothing to do, and succeeds.
        let run = served.run(&[&["run"], case.arguments].concat());
        assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(told.contains("v1 is live already"), "{told}");
    } else if refuses {
        let run = served.run(&[&["run"], case.arguments].concat());
        assert_eq!(run.status.code(), Some(3), "{name}: {}", stderr(&run));
        assert!(stderr(&run).contains(case.says), "{name}: {}", stderr(&run));
        let checks = document["checks"].as_array().expect("checks");
        let refused = |check: &&Value| check["verdict"] == "refused";
        let may = checks.iter().filter(refused);
        let may = may
            .filter(|check| check["check"] == name && check["may_be_allowed"] == true)
            .count();
        if may > 0 && name != "alarms" {
            let allow = [case.arguments, &["--allow", name]].concat();
            let (code, document) = planned(&served, &allow);
            assert_eq!(code, Some(0), "{document:#}");
            assert_eq!(found(&document, name).0, "allowed");
        }
    }
    let by_hand: &[&str] = match name {
        "unmanaged-changes" => &UNMANAGED,
        _ => &["ChangeResourceRecordSets"],
    };
    nothing_was_written(&served, by_hand);
}

/// What somebody asks for who changes blue's load balancer by hand.
const UNMANAGED: [&str; 6] = [
    "AddListenerCertificates",
    "AssociateWebACL",
    "CreateListener",
    "CreateRule",
    "CreateTargetGroup",
    "ModifyListener",
];

/// The table of docs/use/checks.md is what the checks say of themselves.
#[test]
fn checks_md_is_fresh() {
    const DRAWN: &str = "<!-- Drawn by tests/rings/verdicts.rs from the checks themselves; write it \
                         anew with UPDATE_DOCS=1 cargo test --test rings checks_md_is_fresh -->\n\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/use/checks.md");
    let kept = std::fs::read_to_string(&path).expect("docs/use/checks.md is there");
    let (written, _) = kept.split_once(DRAWN).unwrap_or((&kept, ""));
    let mut fresh = format!("{written}{DRAWN}");
    for checked in Check::ALL {
        let about = checked.about();
        let allowing = match about.allowing {
            Allowing::May(then) => format!("May be allowed: {then}."),
            Allowing::Never(why) => format!("May not be allowed: {why}."),
        };
        fresh.push_str(&format!(
            "### {}\n\nChecks {}.\n\nRemedy: {}.\n\n{allowing}\n\n",
            about.name, about.examines, about.remedy
        ));
    }
    let fresh = format!("{}\n", fresh.trim_end());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &fresh).expect("docs/ can be written to");
    }
    let kept = std::fs::read_to_string(&path).expect("docs/use/checks.md is there");
    assert!(
        kept == fresh,
        "docs/use/checks.md does not have the checks there are; write it anew with UPDATE_DOCS=1 \
         cargo test --test rings checks_md_is_fresh"
    );
}
