use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

use super::Client;
use crate::check::lint;
use crate::form::{Diagnostic, Files, FormDef};
use crate::store::{FailedForm, FormKey, FormSummary, ProjectId, Store};
use crate::{Error, ErrorKind, Result};

impl Client {
    /// The forms of a project, by title. Those that are `offered` can be begun; the others are here for what was begun before.
    /// Of one form the offered version comes first, then the newest.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn forms(&self, project: ProjectId) -> Result<Vec<FormSummary>> {
        self.project_row(project)?;
        self.inner.store.forms(project)
    }

    /// The forms that the server lists and of which no version could be installed, with the code of the reason.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn failed_forms(&self, project: ProjectId) -> Result<Vec<FailedForm>> {
        self.project_row(project)?;
        self.inner.store.failed_forms(project)
    }

    /// A form by `ID` (the version that can be begun, else the newest) or `ID@VERSION`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], those of the store.
    pub fn find_form(&self, project: ProjectId, name: &str) -> Result<FormSummary> {
        // A form id may hold an @ itself, so the whole name is tried first.
        match self.inner.store.find_form(project, name, None) {
            Err(error) if error.kind() == ErrorKind::NotFound => match name.rsplit_once('@') {
                Some((id, version)) => self.inner.store.find_form(project, id, Some(version)),
                None => Err(error),
            },
            found => found,
        }
    }

    /// A form as drafts are filled on it: with a `meta/instanceID` of its own for each record, also where its author forgot
    /// it. Those used last, and those that a session has open, are not read again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::StorageDamaged`] also for a form that a salvage has left empty until it is
    /// refreshed; those of [`FormDef::load`] and of the store.
    pub fn form(&self, key: FormKey) -> Result<Arc<FormDef>> {
        if let Some(known) = self.forms_read().get(key) {
            return Ok(known);
        }
        let (form, _) = self.load(key)?;
        let form = Arc::new(form);
        self.forms_read().insert(key, &form);
        Ok(form)
    }

    /// What the author of a form should know: what is missing, unsupported, without effect or meant otherwise.
    ///
    /// # Errors
    /// As [`Client::form`].
    pub fn form_notices(&self, key: FormKey) -> Result<Vec<Diagnostic>> {
        let (form, mut notices) = self.load(key)?;
        notices.extend(lint(&form, Some(&StoredFiles { store: &self.inner.store, form: key })));
        notices.sort_by_key(Diagnostic::level);
        Ok(notices)
    }

    /// Where a picture, sound or video of a form lies; none if it is not there.
    ///
    /// # Errors
    /// Those of the store.
    pub fn media_path(&self, form: FormKey, name: &str) -> Result<Option<std::path::PathBuf>> {
        let store = &self.inner.store;
        Ok(store.form_file(form, name)?.and_then(|file| store.media_path(&file)))
    }

    fn load(&self, key: FormKey) -> Result<(FormDef, Vec<Diagnostic>)> {
        let xml = self.inner.store.form_xml(key)?;
        if xml.is_empty() {
            // As a salvage leaves a form that was on a damaged page.
            return Err(Error::new(ErrorKind::StorageDamaged, "this form was lost, and a refresh brings it back"));
        }
        let (mut form, mut notices) = FormDef::load(&utf8(xml)?, &StoredFiles { store: &self.inner.store, form: key })?;
        notices.extend(form.ensure_instance_id());
        Ok((form, notices))
    }
}

/// So many forms are kept after their last use. With their lists they may be large, so not all that were ever opened.
const FORMS_KEPT: usize = 4;

/// Forms that were read: those used last, and those in use. A row never changes, so none is ever out of date.
#[derive(Debug, Default)]
pub(super) struct FormCache {
    /// The one used last at the end.
    recent: VecDeque<Arc<FormDef>>,
    known: BTreeMap<FormKey, Weak<FormDef>>,
}

impl FormCache {
    fn get(&mut self, key: FormKey) -> Option<Arc<FormDef>> {
        let form = self.known.get(&key)?.upgrade()?;
        self.touch(&form);
        Some(form)
    }

    fn insert(&mut self, key: FormKey, form: &Arc<FormDef>) {
        self.touch(form);
        self.known.retain(|_, form| form.strong_count() > 0);
        self.known.insert(key, Arc::downgrade(form));
    }

    fn touch(&mut self, form: &Arc<FormDef>) {
        self.recent.retain(|known| !Arc::ptr_eq(known, form));
        self.recent.push_back(Arc::clone(form));
        while self.recent.len() > FORMS_KEPT {
            self.recent.pop_front();
        }
    }
}

/// The files of an installed form.
struct StoredFiles<'s> {
    store: &'s Store,
    form: FormKey,
}

impl Files for StoredFiles<'_> {
    fn contains(&self, name: &str) -> bool {
        self.store.form_file(self.form, name).is_ok_and(|file| file.is_some())
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        let file = self.store.form_file(self.form, name).ok()??;
        if file.is_data {
            self.store.form_data(file.id).ok()
        } else {
            std::fs::read(self.store.media_path(&file)?).ok()
        }
    }
}

/// The text of a form or a record.
pub(super) fn utf8(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| Error::new(ErrorKind::NotXml, "it is not UTF-8").caused_by(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_forms_are_kept_than_were_used_last_or_are_in_use() {
        let form = || {
            let xml = r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"><h:head>
                <model><instance><d id="d"><a/></d></instance></model></h:head><h:body><input ref="/d/a"/></h:body></h:html>"#;
            Arc::new(FormDef::load(xml, &()).unwrap().0)
        };
        let mut cache = FormCache::default();
        let in_use = form();
        cache.insert(FormKey(0), &in_use);
        for n in 1..=50 {
            cache.insert(FormKey(n), &form());
            assert!(cache.recent.len() <= FORMS_KEPT);
        }
        let known: Vec<i64> = (1..=50).filter(|&n| cache.get(FormKey(n)).is_some()).collect();
        assert_eq!(known, [47, 48, 49, 50]);
        assert!(cache.get(FormKey(0)).is_some(), "a form in use is not read twice");
        drop(in_use);
        (1..=4).for_each(|n| cache.insert(FormKey(100 + n), &form()));
        assert_eq!(cache.known.len(), FORMS_KEPT, "of the others nothing is left");
    }
}
