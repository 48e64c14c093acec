//! Tags of every resource of Elastic Beanstalk.

mod play;

use play::{Play, STACK, all, request_id};

fn arn(path: &str) -> String {
    format!("arn:aws:elasticbeanstalk:us-east-1:123456789012:{path}")
}

/// EB CLI waits for the last of these events by the request's id
/// (`ebcli/operations/tagops/tagops.py`); clients wait for Ready.
#[tokio::test]
async fn an_update_of_tags_tells_of_itself() {
    let play = Play::new();
    let update = format!(
        "Action=UpdateTagsForResource&ResourceArn={}\
         &TagsToAdd.member.1.Key=cost&TagsToAdd.member.1.Value=low",
        arn("environment/shop/shop-blue")
    );
    let id = request_id(&play.done(&update).await);
    assert_eq!(
        play.events(&id).await,
        ["Environment tag update is starting."]
    );
    let environment = "Action=DescribeEnvironments&EnvironmentNames.member.1=shop-blue";
    let told = play.done(environment).await;
    assert!(told.contains("<Status>Updating</Status>"), "{told}");
    assert!(told.contains("<Health>Green</Health>"), "{told}");
    let message = "Environment named shop-blue is in an invalid state for this operation. Must \
                   be Ready.";
    play.refused(&update, "InvalidParameterValue", message)
        .await;
    play.wait(30);
    let told = play.done(environment).await;
    assert!(told.contains("<Status>Ready</Status>"), "{told}");
    let messages = play.events(&id).await;
    assert_eq!(
        messages[1..],
        ["Environment tag update completed successfully."]
    );
    let lost = play.world(|world| world.report().lost);
    assert_eq!(lost, 0, "the site answers meanwhile");
}

/// "Elastic Beanstalk supports tagging of all of its resources" (API model,
/// `UpdateTagsForResource`), at their creation too.
#[tokio::test]
async fn every_resource_has_its_tags() {
    let play = Play::new();
    let tags = "&Tags.member.1.Key=team&Tags.member.1.Value=shop";
    for create in [
        "Action=CreateApplication&ApplicationName=other".to_owned(),
        "Action=CreateApplicationVersion&ApplicationName=other&VersionLabel=v1".to_owned(),
        format!(
            "Action=CreateConfigurationTemplate&ApplicationName=other&TemplateName=t\
             &SolutionStackName={STACK}"
        ),
    ] {
        play.done(&format!("{create}{tags}")).await;
    }
    let tags_of = async |path: &str| {
        let told = play
            .done(&format!(
                "Action=ListTagsForResource&ResourceArn={}",
                arn(path)
            ))
            .await;
        all(&told, "<Key>", "</Key>")
    };
    for path in [
        "application/other",
        "applicationversion/other/v1",
        "configurationtemplate/other/t",
    ] {
        assert_eq!(tags_of(path).await, ["team"], "{path}");
        let update = format!(
            "Action=UpdateTagsForResource&ResourceArn={}&TagsToRemove.member.1=team\
             &TagsToAdd.member.1.Key=Name&TagsToAdd.member.1.Value=x",
            arn(path)
        );
        play.done(&update).await;
        assert_eq!(tags_of(path).await, ["Name"], "{path}");
    }
    play.done("Action=DeleteApplicationVersion&ApplicationName=other&VersionLabel=v1")
        .await;
    let gone = arn("applicationversion/other/v1");
    let list = format!("Action=ListTagsForResource&ResourceArn={gone}");
    let message = format!("Resource not found for arn '{gone}'.");
    play.refused(&list, "ResourceNotFoundException", &message)
        .await;
    play.done("Action=CreateApplicationVersion&ApplicationName=other&VersionLabel=v1")
        .await;
    let tags: [String; 0] = [];
    assert_eq!(tags_of("applicationversion/other/v1").await, tags);
}
