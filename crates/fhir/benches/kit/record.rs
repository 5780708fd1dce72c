//! Records of an invented patient, as large as wanted, with the statistics of recorded GP Connect records:
//! about 1.1 kB an entry, 3.2 to 4.4 references a kB, two thirds of the resources with an identifier, no
//! `fullUrl`, and some Lists without an id. The same arguments give the same bytes.

/// The invented patient (a number of the range that is never given out).
pub(crate) const NHS_NUMBER: &str = "9990000107";

/// What a source speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// GP Connect: STU3, no `fullUrl`.
    GpConnect,
    /// R4 as trusts speak it, with `fullUrl`.
    R4,
}

/// The address below which the resources of source number `source` live.
pub(crate) fn base_url(source: usize) -> String {
    format!("https://source-{source}.example.test/fhir")
}

/// A Bundle of at least this many bytes, and of hardly more. Every source repeats some entries of source 0.
pub(crate) fn bundle(dialect: Dialect, source: usize, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 8_192);
    text.push_str(r#"{"resourceType":"Bundle","id":"00000000-0000-4000-8000-000000000000","type":"collection","entry":["#);
    let mut entries = Entries { text, dialect, source, count: 0, listed: Vec::new() };
    let (first, cycle) = match dialect {
        Dialect::GpConnect => (crate::templates::GP_FIRST, crate::templates::GP),
        Dialect::R4 => (crate::templates::R4_FIRST, crate::templates::R4),
    };
    for template in first {
        entries.push(template);
    }
    for template in cycle.iter().cycle() {
        if entries.text.len() >= bytes {
            break;
        }
        entries.push(template);
    }
    entries.text.push_str("]}");
    entries.text
}

/// The same JSON as suppliers print it: every member on a line of its own.
pub(crate) fn pretty(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for letter in text.chars() {
        if quoted || letter == '"' {
            quoted ^= letter == '"' && !escaped;
            escaped = letter == '\\' && !escaped;
            out.push(letter);
            continue;
        }
        if matches!(letter, '}' | ']') {
            depth = depth.saturating_sub(1);
            line(&mut out, depth);
        }
        out.push(letter);
        match letter {
            '{' | '[' => {
                depth += 1;
                line(&mut out, depth);
            }
            ',' => line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    (0..depth).for_each(|_| out.push_str("    "));
}

struct Entries {
    text: String,
    dialect: Dialect,
    source: usize,
    count: usize,
    /// References to the statements since the last List.
    listed: Vec<String>,
}

impl Entries {
    fn push(&mut self, template: &str) {
        if self.count > 0 {
            self.text.push(',');
        }
        let number = self.count;
        self.count += 1;
        self.text.push('{');
        if self.dialect == Dialect::R4 {
            self.text.push_str("\"fullUrl\":\"");
            self.text.push_str(&base_url(self.source));
            self.text.push('/');
            self.text.push_str(kind(template));
            self.text.push('/');
            self.text.push_str(&id(self.source, number));
            self.text.push_str("\",");
        }
        self.text.push_str("\"resource\":");
        self.fill(template, number);
        self.text.push('}');
        if kind(template) == "List" {
            self.listed.clear();
        } else {
            self.listed.push(format!("{}/{}", kind(template), id(self.source, number)));
        }
    }

    /// Writes a template; a letter after `@` stands for a value.
    fn fill(&mut self, template: &str, number: usize) {
        let mut pieces = template.split('@');
        self.text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let mut rest = piece.chars();
            let value = self.value(rest.next().unwrap_or_default(), number);
            self.text.push_str(&value);
            self.text.push_str(rest.as_str());
        }
    }

    fn value(&self, letter: char, number: usize) -> String {
        let dice = mix(self.source as u64, number as u64);
        match letter {
            'h' => NHS_NUMBER.to_owned(),
            // The first entries are the patient, the practice, three clinicians and eight products.
            'p' => id(self.source, 0),
            'o' => id(self.source, 1),
            'r' => id(self.source, 2 + number % 3),
            'm' => id(self.source, 5 + number % 8),
            // The encounter that was written last is at most a cycle away.
            'e' => id(self.source, 13 + (number.saturating_sub(13) / 20) * 20),
            'b' => id(self.source, number.saturating_sub(1)),
            'c' => format!("{}", 10_000_000 + dice % 400 * 1009),
            'd' => format!("Finding number {} of many (finding)", dice % 400),
            't' => format!("{}T{:02}:30:00+00:00", date(dice), 8 + dice % 10),
            'D' => date(dice),
            'n' => format!("{}.{}0", 1 + dice % 190, dice % 10),
            // One entry in twenty is another source's, handed on under its identifier.
            's' if number % 20 == 7 => base_url(0),
            's' => base_url(self.source),
            'v' if number % 20 == 7 => id(0, number),
            'i' | 'v' => id(self.source, number),
            'l' => self.list(),
            other => other.to_string(),
        }
    }

    fn list(&self) -> String {
        let items: Vec<String> =
            self.listed.iter().map(|name| format!(r#"{{"item":{{"reference":"{name}"}}}}"#)).collect();
        items.join(",")
    }
}

fn kind(template: &str) -> &str {
    template.split('"').nth(3).unwrap_or_default()
}

fn date(dice: u64) -> String {
    format!("{}-{:02}-{:02}", 2004 + dice / 7 % 21, 1 + dice / 3 % 12, 1 + dice / 5 % 28)
}

/// A UUID that is the same whenever it is asked for.
fn id(source: usize, number: usize) -> String {
    let (high, low) = (mix(source as u64 + 1, number as u64), mix(number as u64, source as u64 + 77));
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// `SplitMix64` of two numbers.
const fn mix(one: u64, other: u64) -> u64 {
    let mut z =
        one.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(other.wrapping_mul(0xd1b5_4a32_d192_ed03));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
