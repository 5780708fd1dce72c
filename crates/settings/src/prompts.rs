//! `[prompts]`: what goes beyond showing records, and who signed for it.

use tributary_broker::{Maps, Prompt, Prompts};

use super::Mistake;
use super::reader::Reader;

/// The prompts, and the words of whoever signed for them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromptSettings {
    /// Which are switched on.
    pub on: Prompts,
    /// Who signed, when, and in which safety case.
    pub signed: Option<String>,
}

/// The keys, each with the map its prompt cannot do without.
const SAME_CLASS: (&str, &str) = ("same_high_risk_class", "high-risk-class");
const ALLERGY: (&str, &str) = ("allergy_vs_current_medicine", "allergy-class");

pub(super) fn read(mut table: Reader<'_>) -> PromptSettings {
    let signed = table.words("clinical_safety_sign_off").map(|words| words.trim().to_owned());
    let signed = signed.filter(|words| !words.is_empty());
    let mut prompt = |key| {
        if table.truth(key) != Some(true) {
            return Prompt::Off;
        }
        if signed.is_none() {
            table.wrong(
                key,
                "needs clinical_safety_sign_off: who signed for prompts, when, and in which safety case",
            );
        }
        Prompt::On
    };
    let on = Prompts {
        same_high_risk_class: prompt(SAME_CLASS.0),
        allergy_vs_current_medicine: prompt(ALLERGY.0),
    };
    table.close();
    PromptSettings { on, signed }
}

impl PromptSettings {
    /// The prompts that are on.
    pub fn names(&self) -> Vec<&'static str> {
        self.each().filter(|(_, state)| *state == Prompt::On).map(|((key, _), _)| key).collect()
    }

    /// Prompts that can never be given for want of their map: their absence would be read as "nothing to mind".
    pub fn obstacles(&self, maps: &Maps) -> Vec<Mistake> {
        let blind = self.each().filter(|((_, map), state)| *state == Prompt::On && !maps.has(map));
        let mistake = |((key, map), _): ((&str, &str), Prompt)| Mistake {
            path: format!("prompts.{key}"),
            line: None,
            says: format!("needs the map {map}.csv in maps.dir: without it this prompt is never given"),
        };
        blind.map(mistake).collect()
    }

    fn each(&self) -> impl Iterator<Item = ((&'static str, &'static str), Prompt)> {
        [(SAME_CLASS, self.on.same_high_risk_class), (ALLERGY, self.on.allergy_vs_current_medicine)]
            .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[track_caller]
    fn mistakes(text: &str) -> Vec<String> {
        let of = |mistakes: Vec<Mistake>| mistakes.iter().map(|one| one.path.clone()).collect();
        Settings::parse(text).map(|settings| settings.prompts.obstacles(&Maps::default())).map_or_else(of, of)
    }

    #[test]
    fn nothing_is_on_by_default() {
        let settings = Settings::parse("").unwrap();
        assert_eq!((settings.prompts.on, settings.prompts.names()), (Prompts::default(), Vec::new()));
        let signed = Settings::parse("[prompts]\nclinical_safety_sign_off = \"A. Example, safety case 1\"\n");
        assert_eq!(signed.unwrap().prompts.on, Prompts::default());
    }

    #[test]
    fn a_prompt_needs_a_signature_and_its_map() {
        let on = "[prompts]\nsame_high_risk_class = true\nallergy_vs_current_medicine = true\n";
        let both = ["prompts.same_high_risk_class", "prompts.allergy_vs_current_medicine"];
        assert_eq!(mistakes(on), both);
        // Blanks sign nothing.
        assert_eq!(mistakes(&format!("{on}clinical_safety_sign_off = \"  \"\n")).len(), 3);
        let signed = format!("{on}clinical_safety_sign_off = \"A. Example\"\n");
        // Signed for, and still blind.
        assert_eq!(mistakes(&signed), both);
        let mut maps = Maps::default();
        maps.load("high-risk-class", "from,to,source,release\n").unwrap();
        maps.load("allergy-class", "from,to,source,release\n").unwrap();
        let settings = Settings::parse(&signed).unwrap();
        assert!(settings.prompts.obstacles(&maps).is_empty());
        assert_eq!(settings.prompts.names(), ["same_high_risk_class", "allergy_vs_current_medicine"]);
    }
}
