//! The forms that the harnesses fill: small ones, because the trouble is not in them.

use veldwerk_tests::central::Published;

/// A form with texts, files, a repeat, and a question that is relevant from the second day on.
pub(crate) const VISIT: &str = "visit";
/// A form without an instanceID: the core has to give its records one.
pub(crate) const BARE: &str = "bare";

/// Midnight between the first two lives of a home: then `late` becomes relevant.
pub(crate) const FIRST_DAY: &str = "2026-01-15";
/// A moment of that day, in milliseconds since 1970.
pub(crate) const FIRST_MOMENT: i64 = 1_768_478_400_000;

/// Both, in the version asked for.
pub(crate) fn all(version: &str) -> Vec<Published> {
    vec![visit(version), bare(version)]
}

pub(crate) fn visit(version: &str) -> Published {
    let xml = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml"
                   xmlns:jr="http://openrosa.org/javarosa">
             <h:head><h:title>Visit</h:title><model>
               <instance><data id="{VISIT}" version="{version}">
                 <name/><story/><age/><late/><photo/><video/>
                 <member jr:template=""><nick/><face/></member>
                 <previous/><drawn/><meta><instanceID/></meta>
               </data></instance>
               <instance id="__last-saved" src="jr://instance/last-saved"/>
               <bind nodeset="/data/name" type="string" required="true()"/>
               <bind nodeset="/data/story" type="string"/>
               <bind nodeset="/data/age" type="int" constraint=". &lt; 150"/>
               <bind nodeset="/data/late" type="string" relevant="today() &gt; date('{FIRST_DAY}')"/>
               <bind nodeset="/data/photo" type="binary"/>
               <bind nodeset="/data/video" type="binary"/>
               <bind nodeset="/data/member/nick" type="string"/>
               <bind nodeset="/data/member/face" type="binary"/>
               <bind nodeset="/data/previous" type="string"
                     calculate="if(/data/name = '', '', instance('__last-saved')/data/name)"/>
               <bind nodeset="/data/drawn" type="string" calculate="once(uuid())"/>
               <bind nodeset="/data/meta/instanceID" type="string" jr:preload="uid"/>
             </model></h:head>
             <h:body>
               <input ref="/data/name"><label>Name</label></input>
               <input ref="/data/story"><label>Story</label></input>
               <input ref="/data/age"><label>Age</label></input>
               <input ref="/data/late"><label>Since midnight</label></input>
               <upload ref="/data/photo" mediatype="image/*"><label>Photo</label></upload>
               <upload ref="/data/video" mediatype="video/*"><label>Video</label></upload>
               <group ref="/data/member"><label>Member</label><repeat nodeset="/data/member">
                 <input ref="/data/member/nick"><label>Nickname</label></input>
                 <upload ref="/data/member/face" mediatype="image/*"><label>Face</label></upload>
               </repeat></group>
             </h:body>
           </h:html>"#
    );
    let list = format!("name,label\nwell,Well {version}\npump,Pump\n");
    Published {
        form_id: VISIT.to_owned(),
        version: version.to_owned(),
        xml,
        files: vec![
            ("places.csv".to_owned(), list.into_bytes()),
            ("sign.png".to_owned(), format!("a picture of version {version}").into_bytes()),
        ],
        closed: false,
    }
}

pub(crate) fn bare(version: &str) -> Published {
    let xml = format!(
        r#"<h:html xmlns="http://www.w3.org/2002/xforms" xmlns:h="http://www.w3.org/1999/xhtml">
             <h:head><h:title>Bare</h:title><model>
               <instance><data id="{BARE}" version="{version}"><name/><photo/></data></instance>
               <bind nodeset="/data/name" type="string"/>
               <bind nodeset="/data/photo" type="binary"/>
             </model></h:head>
             <h:body>
               <input ref="/data/name"><label>Name</label></input>
               <upload ref="/data/photo" mediatype="image/*"><label>Photo</label></upload>
             </h:body>
           </h:html>"#
    );
    Published { form_id: BARE.to_owned(), version: version.to_owned(), xml, files: Vec::new(), closed: false }
}
