//! JSON: valid against `docs/trace.schema.json`, and the same hops as the answer's.

use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use cnamed::render::{AliasSeen, Report, json};
use serde_json::Value;

use crate::lab::documented_outcomes;
use crate::trace_text::{hops_of, trace_with};

pub struct Schema {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Schema {
    pub fn read(file: &str) -> Schema {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
        let read = |file: &str| -> Value {
            serde_json::from_str(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap()
        };
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        for file in ["trace.schema.json", "traces.schema.json", "change.schema.json"] {
            let schema = read(file);
            let id = schema["$id"].as_str().unwrap().to_owned();
            compiler.add_resource(&id, schema).unwrap();
        }
        let index = compiler.compile(read(file)["$id"].as_str().unwrap(), &mut schemas).unwrap();
        Schema { schemas, index }
    }

    pub fn complaint(&self, value: &Value) -> Option<String> {
        self.schemas.validate(value, self.index).err().map(|error| format!("{error:#}"))
    }
}

fn name(value: &Value) -> Option<cnamed::wire::Name> {
    value.as_str().map(|text| text.parse().unwrap())
}

fn aliases(value: &Value) -> Vec<AliasSeen> {
    let hops = value["hops"].as_array().unwrap().iter().filter(|hop| hop["kind"] == "alias");
    hops.map(|hop| AliasSeen {
        owner: name(&hop["owner"]).unwrap(),
        target: name(&hop["target"]),
        dname: hop["dname"].as_object().map(|d| (name(&d["owner"]).unwrap(), name(&d["target"]).unwrap())),
        ttl: hop["ttl_s"].as_u64().unwrap() as u32,
    })
    .collect()
}

/// The records of the last hop, as the report's answer has them.
fn end_agrees(report: &Report, value: &Value) {
    let last = value["hops"].as_array().unwrap().last().unwrap();
    let shown: Vec<&str> =
        last["records"].as_array().unwrap().iter().map(|r| r["rdata"].as_str().unwrap()).collect();
    let held: Vec<String> = report
        .answer
        .terminal
        .iter()
        .flat_map(|held| held.set.rdata.iter().map(|r| cnamed::master::rdata_to_text(held.set.rtype, r)))
        .collect();
    assert_eq!(shown, held);
}

#[tokio::test(start_paused = true)]
async fn json_fits_its_schema_and_the_answer() {
    let schema = Schema::read("trace.schema.json");
    for (text, outcome) in documented_outcomes() {
        let report = trace_with(&text, |_| ()).await;
        let value: Value = serde_json::from_str(&json::render(&report)).unwrap();
        assert_eq!(schema.complaint(&value), None, "{text}");
        assert!(value["rcode"] == outcome.as_str() || text.contains("lossy."), "{text}: {outcome}");
        let failure = report.answer.failure.as_ref().map(|failure| failure.sentence());
        assert_eq!(value["failure"]["sentence"].as_str(), failure.as_deref(), "{text}");
        assert_eq!(value["hops"].as_array().unwrap().len(), report.hops.len(), "{text}");
        if failure.is_none() {
            assert_eq!(aliases(&value), hops_of(&report), "{text}");
            end_agrees(&report, &value);
        }
    }
}

/// The schema is of use: it refuses what is not a trace.
#[tokio::test(start_paused = true)]
async fn the_schema_refuses_what_is_wrong() {
    let schema = Schema::read("trace.schema.json");
    let good = json::value(&trace_with("www.example.com", |_| ()).await);
    assert_eq!(schema.complaint(&good), None);
    type Spoil = fn(&mut Value);
    let spoils: [Spoil; 6] = [
        |v| v["version"] = 2.into(),
        |v| v["hops"][0]["ttl_s"] = "300".into(),
        |v| v["hops"][0]["owner"] = "www.example.com".into(),
        |v| v["hops"][0]["dnssec"]["state"] = "fine".into(),
        |v| v["hops"][0]["origin"]["took_us"] = (-1).into(),
        |v| v["hops"][0]["steps"][1]["transport"] = "pigeon".into(),
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        let mut bad = good.clone();
        spoil(&mut bad);
        assert!(schema.complaint(&bad).is_some(), "{number}");
    }
}
