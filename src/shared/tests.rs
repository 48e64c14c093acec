use super::*;

#[test]
fn names_become_safe_parts_of_keys() {
    let target = Target {
        account: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        application: "my shop/../x.é".to_owned(),
        blue: "shop-blue".to_owned(),
    };
    assert_eq!(
        lease_key(&target),
        "bluegreen/leases/123456789012/us-east-1/my=20shop=2F=2E=2E=2Fx=2E=C3=A9/shop-blue.json"
    );
    assert_eq!(deployment_key("01j"), "bluegreen/deployments/01J.json");
}
