//! Reads tables key by key and writes down every mistake with its path and line, instead of stopping at the first.
//!
//! A derived reader would stop at the first unknown key or wrong type of a file.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::Mistake;

/// The text of a configuration, and what was found wrong with it.
#[derive(Debug)]
pub(super) struct Book<'t> {
    text: &'t str,
    mistakes: RefCell<Vec<Mistake>>,
}

impl<'t> Book<'t> {
    pub(super) const fn new(text: &'t str) -> Self {
        Self { text, mistakes: RefCell::new(Vec::new()) }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        before.split(|byte| *byte == b'\n').count()
    }

    pub(super) fn note(&self, path: String, span: Option<Range<usize>>, says: impl Display) {
        let line = span.map(|span| self.line(span.start));
        self.mistakes.borrow_mut().push(Mistake { path, line, says: says.to_string() });
    }

    /// Every mistake, in the order of the file.
    pub(super) fn close(self) -> Vec<Mistake> {
        let mut mistakes = self.mistakes.into_inner();
        mistakes.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        mistakes
    }
}

/// One table. Every key is read by name; what was not read by the end is unknown.
#[derive(Debug)]
pub(super) struct Reader<'r> {
    book: &'r Book<'r>,
    table: &'r DeTable<'r>,
    path: String,
    /// Where the table begins; `None` for the whole file.
    span: Option<Range<usize>>,
    known: Vec<&'static str>,
}

impl<'r> Reader<'r> {
    /// The outermost table.
    pub(super) const fn root(book: &'r Book<'r>, table: &'r DeTable<'r>) -> Self {
        Self { book, table, path: String::new(), span: None, known: Vec::new() }
    }

    /// The key of this table.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    fn value(&mut self, key: &'static str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.known.push(key);
        self.peek(key)
    }

    fn peek(&self, key: &str) -> Option<&'r Spanned<DeValue<'r>>> {
        self.table.get(key)
    }

    /// Whether the key is there, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.peek(key).is_some()
    }

    /// Whether the key is there and holds an empty list.
    pub(super) fn holds_nothing(&self, key: &str) -> bool {
        let list = self.peek(key).and_then(|value| value.get_ref().as_array());
        list.is_some_and(|items| items.iter().next().is_none())
    }

    /// Whether the key is there and holds this word.
    pub(super) fn says(&mut self, key: &'static str, word: &str) -> bool {
        let is_said = self.peek(key).is_some_and(|value| value.get_ref().as_str() == Some(word));
        if is_said {
            self.known.push(key);
        }
        is_said
    }

    /// Notes a mistake at a key; at the table when the key is absent.
    pub(super) fn wrong(&self, key: &str, says: impl Display) {
        let span = self.peek(key).map(Spanned::span).or_else(|| self.span.clone());
        self.book.note(self.path_of(key), span, says);
    }

    fn wrong_type<T>(&self, key: &str, wanted: &str, found: &DeValue<'_>) -> Option<T> {
        self.wrong(key, format_args!("is {}, not {wanted}", described(found)));
        None
    }

    /// The value; a mistake when the key is absent.
    pub(super) fn required<T>(&self, key: &str, value: Option<T>) -> Option<T> {
        if value.is_none() && !self.has(key) {
            self.wrong(key, "is missing");
        }
        value
    }

    /// A text.
    pub(super) fn text(&mut self, key: &'static str) -> Option<&'r str> {
        let value = self.value(key)?.get_ref();
        value.as_str().or_else(|| self.wrong_type(key, "a text", value))
    }

    /// A text of at least one letter.
    pub(super) fn words(&mut self, key: &'static str) -> Option<String> {
        self.parsed(key, |text| {
            let is_blank = text.trim().is_empty();
            if is_blank { Err("is empty") } else { Ok(text.to_owned()) }
        })
    }

    /// A text that means something.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        parse(self.text(key)?).map_err(|error| self.wrong(key, error)).ok()
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, key: &'static str, bounds: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(key)?.get_ref();
        let Some(integer) = value.as_integer() else {
            return self.wrong_type(key, "a whole number", value);
        };
        let number = u64::from_str_radix(integer.as_str(), integer.radix()).ok();
        let fitting = number.filter(|number| bounds.contains(number));
        if fitting.is_none() {
            self.wrong(key, format_args!("is not between {} and {}", bounds.start(), bounds.end()));
        }
        fitting
    }

    /// `true` or `false`.
    pub(super) fn truth(&mut self, key: &'static str) -> Option<bool> {
        let value = self.value(key)?.get_ref();
        value.as_bool().or_else(|| self.wrong_type(key, "true or false", value))
    }

    /// A list of texts that each mean something. One that does not is noted and left out.
    pub(super) fn list<T, E: Display>(
        &mut self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let value = self.value(key)?.get_ref();
        let Some(items) = value.as_array() else {
            return self.wrong_type(key, "a list of texts", value);
        };
        let read = |(index, item): (usize, &Spanned<DeValue<'_>>)| {
            let found = item.get_ref().as_str().ok_or_else(|| "is not a text".to_owned());
            let parsed = found.and_then(|text| parse(text).map_err(|error| error.to_string()));
            let path = || self.path_of(&format!("{key}[{}]", index + 1));
            parsed.map_err(|says| self.book.note(path(), Some(item.span()), says)).ok()
        };
        Some(items.iter().enumerate().filter_map(read).collect())
    }

    /// A table inside this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Self> {
        let value = self.value(key)?;
        match value.get_ref().as_table() {
            Some(table) => Some(self.inner(self.path_of(key), value.span(), table)),
            None => self.wrong_type(key, "a table", value.get_ref()),
        }
    }

    /// The tables of `[[key]]`.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Self> {
        let Some(value) = self.value(key) else { return Vec::new() };
        let items = value.get_ref().as_array().map(|items| items.iter()).into_iter().flatten();
        let tables: Option<Vec<Self>> = items
            .enumerate()
            .map(|(index, item)| {
                let path = self.path_of(&format!("{key}[{}]", index + 1));
                Some(self.inner(path, item.span(), item.get_ref().as_table()?))
            })
            .collect();
        if let Some(tables) = tables.filter(|_| value.get_ref().is_array()) {
            return tables;
        }
        self.wrong(key, format_args!("is written as a list of tables: [[{key}]]"));
        Vec::new()
    }

    fn inner(&self, path: String, span: Range<usize>, table: &'r DeTable<'r>) -> Self {
        Self { book: self.book, table, path, span: Some(span), known: Vec::new() }
    }

    /// Notes every key that nobody asked for.
    pub(super) fn close(self) {
        for (key, _) in self.table {
            let name: &str = key.get_ref();
            if !self.known.contains(&name) {
                let says = format!("is no key here; known are {}", self.known.join(", "));
                self.book.note(self.path_of(name), Some(key.span()), says);
            }
        }
    }
}

const fn described(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date without quotes",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
