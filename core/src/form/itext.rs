use std::collections::HashMap;
use std::sync::OnceLock;

use crate::ids::ElementId;
use crate::xml::{Document, Names, Namespace};

/// The texts of a form: one translation per language, indexed when the language is first shown.
#[derive(Debug, Default)]
pub struct Itext {
    translations: Vec<Translation>,
    /// Position of the default language.
    pub default: usize,
}

#[derive(Debug)]
struct Translation {
    language: String,
    element: ElementId,
    texts: OnceLock<HashMap<Box<str>, ElementId>>,
}

impl Itext {
    /// Adds the translations of an `<itext>` element.
    pub(super) fn read(document: &Document, names: &Names, itext: ElementId) -> Self {
        let mut all = Self::default();
        let mut default = None;
        for element in document.children(itext) {
            if names.get(document.element(element).name) != "translation" {
                continue;
            }
            let attribute = |name| document.attribute(element, Namespace::None, names.find(name));
            // The attribute's presence counts, whatever its value (xforms.md §5).
            if attribute("default").is_some() && default.is_none() {
                default = Some(all.translations.len());
            }
            let language = attribute("lang").unwrap_or_default().into_owned();
            all.translations.push(Translation { language, element, texts: OnceLock::new() });
        }
        all.default = default.unwrap_or(0);
        all
    }

    /// Names of the languages, as the form writes them.
    pub fn languages(&self) -> impl ExactSizeIterator<Item = &str> {
        self.translations.iter().map(|translation| translation.language.as_str())
    }

    /// The `<text>` element of an id in one language.
    #[must_use]
    pub fn text(&self, document: &Document, names: &Names, language: usize, id: &str) -> Option<ElementId> {
        let translation = self.translations.get(language)?;
        let texts = translation.texts.get_or_init(|| {
            let id = names.find("id");
            let mut texts = HashMap::new();
            for text in document.children(translation.element) {
                if let Some(id) = document.attribute(text, Namespace::None, id) {
                    texts.entry(id.into()).or_insert(text);
                }
            }
            texts
        });
        texts.get(id).copied()
    }

    /// Every text of one language with its id, in the order of the form.
    pub fn texts<'d>(
        &self,
        document: &'d Document,
        names: &Names,
        language: usize,
    ) -> impl Iterator<Item = (std::borrow::Cow<'d, str>, ElementId)> {
        let id = names.find("id");
        let translation = self.translations.get(language).map(|translation| translation.element);
        let texts = translation.into_iter().flat_map(|element| document.children(element));
        texts.filter_map(move |text| Some((document.attribute(text, Namespace::None, id)?, text)))
    }

    /// The `<value>` of a text: with this `form`, or the one without (`long` is preferred over it, xforms.md §5).
    #[must_use]
    pub fn value(&self, document: &Document, names: &Names, text: ElementId, form: Option<&str>) -> Option<ElementId> {
        let name = names.find("form");
        let find = |wanted: Option<&str>| {
            let mut values = document.children(text);
            values.find(|&value| document.attribute(value, Namespace::None, name).as_deref() == wanted)
        };
        match form {
            Some(_) => find(form),
            None => find(Some("long")).or_else(|| find(None)),
        }
    }
}
