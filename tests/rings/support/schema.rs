//! The JSON Schemas in docs/, held against what the binary writes.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

/// A schema that docs/ has.
pub struct Schema {
    schemas: boon::Schemas,
    index: boon::SchemaIndex,
}

impl Schema {
    pub fn of(name: &str) -> Schema {
        let schema = {
            let path = format!("docs/reference/{name}.schema.json");
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
            std::fs::read_to_string(path).expect("it is there")
        };
        let (mut schemas, mut compiler) = (boon::Schemas::new(), boon::Compiler::new());
        let at = format!("https://bluegreen.example/{name}.schema.json");
        let schema = serde_json::from_str(&schema).expect("JSON");
        compiler.add_resource(&at, schema).expect("a resource");
        let index = compiler.compile(&at, &mut schemas).expect("a schema");
        Schema { schemas, index }
    }

    #[track_caller]
    pub fn check(&self, value: &Value) {
        let checked = self.schemas.validate(value, self.index);
        checked.unwrap_or_else(|error| panic!("{error:#}: {value}"));
    }
}

/// The lines of a command's standard output, each as its schema says, with how they differ in
/// what every one must have.
#[track_caller]
pub fn lines(output: &Output) -> Vec<Value> {
    let schema = Schema::of("output");
    let text = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    let lines = text.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        schema.check(&line);
        line
    });
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines[0]["type"], "version", "{text}");
    assert_eq!(lines[0]["bluegreen"], env!("CARGO_PKG_VERSION"));
    for line in lines.iter().filter(|line| line["type"] == "event") {
        for member in [
            "id", "target", "version", "state", "elapsed", "sequence", "at",
        ] {
            assert!(!line[member].is_null(), "{member} of {line}");
        }
    }
    lines
}
