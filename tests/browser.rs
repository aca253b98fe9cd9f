//! A headless Chromium, driven over the DevTools protocol.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// A browser that does not answer for this long is broken; without a limit a test would hang.
const SILENCE: Duration = Duration::from_secs(60);

/// One browser with one tab and an empty profile.
pub struct Browser {
    process: Child,
    socket: WebSocket<TcpStream>,
    session: String,
    next_id: u64,
    /// Events that came while an answer was awaited, oldest first.
    events: Vec<Value>,
    profile: TempDir,
}

impl Browser {
    /// Starts Chromium: the program that `VELDWERK_CHROMIUM` names, else `chromium` on the `PATH`.
    pub fn start() -> Self {
        let program = std::env::var_os("VELDWERK_CHROMIUM").unwrap_or_else(|| "chromium".into());
        let profile = tempfile::tempdir().unwrap();
        let mut process = Command::new(&program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--hide-scrollbars", "--lang=en", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "Chromium is needed ({}: {error}); install it or name it in VELDWERK_CHROMIUM",
                    program.display()
                )
            });

        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let address = lines
            .find_map(|line| line.unwrap().strip_prefix("DevTools listening on ").map(str::to_owned))
            .expect("Chromium ended before it listened");
        // What it says later is read and dropped, or a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));

        let host = address.trim_start_matches("ws://").split('/').next().unwrap();
        let stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let (socket, _) = tungstenite::client(address.as_str(), stream).unwrap();
        let mut browser = Self { process, socket, session: String::new(), next_id: 0, events: Vec::new(), profile };

        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        let downloads = json!({ "behavior": "allow", "downloadPath": browser.downloads(), "eventsEnabled": true });
        browser.call("Browser.setDownloadBehavior", downloads);
        browser.session = attached["sessionId"].as_str().unwrap().to_owned();
        for domain in ["Page", "Log", "Network", "Runtime"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Goes to an address and waits until everything on it is loaded.
    pub fn open(&mut self, url: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        let answer = self.call("Page.navigate", json!({ "url": url }));
        assert_eq!(answer["errorText"], Value::Null);
        self.await_event("Page.loadEventFired", |_| true);
    }

    /// Clicks on what the selector finds, in the middle, as a person does, and waits for the page it leads to.
    pub fn click(&mut self, selector: &str) {
        self.events.retain(|event| event["method"] != "Page.loadEventFired");
        self.press(selector);
        self.await_event("Page.loadEventFired", |_| true);
    }

    /// Clicks on a link that gives a file; its bytes.
    pub fn download(&mut self, selector: &str) -> (String, Vec<u8>) {
        self.press(selector);
        let begun = self.await_event("Browser.downloadWillBegin", |_| true);
        let name = begun["params"]["suggestedFilename"].as_str().unwrap().to_owned();
        self.await_event("Browser.downloadProgress", |event| event["params"]["state"] == "completed");
        let bytes = std::fs::read(self.downloads().join(&name)).unwrap();
        (name, bytes)
    }

    fn press(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }});
             const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] }})()"
        );
        let at = self.evaluate(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// The value of an expression in the page.
    pub fn evaluate(&mut self, script: &str) -> Value {
        let answer =
            self.call("Runtime.evaluate", json!({ "expression": script, "returnByValue": true, "awaitPromise": true }));
        assert_eq!(answer["exceptionDetails"], Value::Null, "{script}");
        answer["result"]["value"].clone()
    }

    /// The text of the first element that the selector finds.
    pub fn text(&mut self, selector: &str) -> String {
        let text = self.evaluate(&format!("document.querySelector({selector:?}).innerText"));
        text.as_str().unwrap().to_owned()
    }

    /// The size of the window in CSS pixels, and whether the reader prefers a dark page.
    pub fn resize(&mut self, width: u32, height: u32, dark: bool) {
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1.5, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        self.call("Emulation.setEmulatedMedia", json!({ "features": [scheme] }));
    }

    /// Writes what the window shows to a PNG file.
    pub fn picture(&mut self, file: &Path) {
        use base64::Engine as _;
        let answer = self.call("Page.captureScreenshot", json!({ "format": "png" }));
        let bytes = base64::engine::general_purpose::STANDARD.decode(answer["data"].as_str().unwrap()).unwrap();
        std::fs::write(file, bytes).unwrap();
    }

    /// Every address that was asked for so far.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.map(|event| event["params"]["request"]["url"].as_str().unwrap().to_owned()).collect()
    }

    /// What the browser complained of so far: broken rules of the content security policy, missing files, exceptions.
    pub fn complaints(&self) -> Vec<String> {
        let complaint =
            |event: &&Value| matches!(event["method"].as_str(), Some("Log.entryAdded" | "Runtime.exceptionThrown"));
        self.events.iter().filter(complaint).map(|event| event["params"].to_string()).collect()
    }

    fn downloads(&self) -> PathBuf {
        self.profile.path().join("downloads")
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        let mut request = json!({ "id": id, "method": method, "params": params });
        if !self.session.is_empty() {
            request["sessionId"] = self.session.clone().into();
        }
        self.socket.send(Message::text(request.to_string())).unwrap();
        loop {
            let message = self.read();
            if message["id"] == id {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    fn await_event(&mut self, method: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        let wanted = |event: &Value| event["method"] == method && is_it(event);
        if let Some(position) = self.events.iter().position(wanted) {
            return self.events.remove(position);
        }
        loop {
            let message = self.read();
            if wanted(&message) {
                return message;
            }
            self.events.push(message);
        }
    }

    fn read(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.socket.read().expect("the browser is silent") {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
