//! `[[organisation]]`: the organisations that ask through this broker, and in whose name sources are asked.

use std::collections::BTreeMap;

use tributary_model::OdsCode;

use super::identity;
use super::reader::Reader;

pub(super) fn read(tables: Vec<Reader<'_>>) -> BTreeMap<OdsCode, String> {
    let mut asids = BTreeMap::new();
    for mut table in tables {
        let ods = table.parsed("ods", OdsCode::parse);
        let ods = table.required("ods", ods);
        let asid = table.parsed("asid", identity::asid);
        let asid = table.required("asid", asid);
        let is_second = ods.as_ref().is_some_and(|ods| asids.contains_key(ods));
        if is_second {
            table.wrong("ods", "is the ods code of an earlier organisation");
        }
        asids.extend(ods.zip(asid));
        table.close();
    }
    asids
}
