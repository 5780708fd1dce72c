//! The merged STU3 Bundle: what the R4 Bundle says, put into STU3 by the tables of `tributary-fhir`.

use std::collections::{BTreeMap, BTreeSet};

use tributary_fhir::convert::{convert_bundle_to_stu3, room};
use tributary_fhir::{Document, LossNote, Writer};
use tributary_model::FaultClass;
use uuid::Uuid;

use super::{provenance, r4};
use crate::record::Record;
use tributary_statements::load::device_id;

impl Record<'_> {
    /// The merged record as a STU3 Bundle of type `collection`. Equal records give equal bytes.
    ///
    /// Statements that came in STU3 have their elements back; what only R4 can say is kept as an extension and
    /// told in a Provenance of its statement, or carried whole and told in the first entry.
    pub fn to_stu3(&self) -> Result<String, FaultClass> {
        // What R4 had no place for has its place again, so the R4 Bundle's word on it would be untrue here.
        let text = self.bundle(|_, _| ());
        let limits = room(text.len());
        let r4 = Document::scan(text.into_bytes(), &limits).map_err(|rejection| rejection.class)?;
        let converted = convert_bundle_to_stu3(&r4)?;
        let mut json = Writer::with_capacity(4_096);
        for (statement, paths) in self.kept_of_r4(&converted.losses) {
            let id = provenance::loss_id(statement);
            r4::entry(&mut json, id, |json| self.write_kept(id, statement, &paths, json));
        }
        let added = json.finish();
        let whole = converted.document.text();
        Ok(match whole.strip_suffix("]}").filter(|_| !added.is_empty()) {
            Some(open) => format!("{open},{added}]}}"),
            None => whole.to_owned(),
        })
    }

    /// The elements of each statement that STU3 has no home for.
    fn kept_of_r4<'n>(&self, losses: &'n [LossNote]) -> BTreeMap<Uuid, BTreeSet<&'n str>> {
        let statements: BTreeSet<Uuid> = self.loaded.statements.iter().map(|one| one.id).collect();
        let mut kept: BTreeMap<Uuid, BTreeSet<&str>> = BTreeMap::new();
        for note in losses {
            let id = note.statement.split_once('/').and_then(|(_, id)| Uuid::try_parse(id).ok());
            if let Some(id) = id.filter(|id| statements.contains(id)) {
                kept.entry(id).or_default().insert(&note.path);
            }
        }
        kept
    }

    fn write_kept(&self, id: Uuid, statement: Uuid, paths: &BTreeSet<&str>, json: &mut Writer) {
        json.object(|one| {
            provenance::begin(self, id, &[statement], one);
            provenance::write_kept(paths.iter().copied(), one);
            one.key("agent").array(|agents| agents.object(write_assembler));
        });
    }
}

/// Ours, with a role where R4 has a type.
fn write_assembler(agent: &mut Writer) {
    let system = "http://hl7.org/fhir/provenance-participant-role";
    agent.key("role").array(|roles| {
        roles.object(|role| {
            role.key("coding").array(|codings| codings.record([("system", system), ("code", "assembler")]));
        });
    });
    agent.key("whoReference").record([("reference", &r4::urn(device_id()))]);
}
