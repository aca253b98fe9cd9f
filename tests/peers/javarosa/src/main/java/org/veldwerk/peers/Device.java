package org.veldwerk.peers;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TimeZone;
import org.javarosa.core.model.data.DateTimeData;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.model.utils.IPreloadHandler;
import org.javarosa.core.reference.InvalidReferenceException;
import org.javarosa.core.reference.Reference;
import org.javarosa.core.reference.ReferenceFactory;
import org.javarosa.core.reference.ReferenceManager;
import org.javarosa.core.services.IPropertyManager;
import org.javarosa.core.services.PropertyManager;
import org.javarosa.core.services.properties.IPropertyRules;
import org.javarosa.model.xform.XFormsModule;
import org.joda.time.DateTime;
import org.joda.time.DateTimeUtils;
import org.joda.time.DateTimeZone;

/** What a form sees of the phone it is on: time, properties, files. */
final class Device {
    private static final Map<String, String> PROPERTIES = Map.ofEntries(
            Map.entry("deviceid", "lab:device-0001"),
            Map.entry("username", "lab-user"),
            Map.entry("email", "lab@example.org"),
            Map.entry("phonenumber", "+31600000000"),
            Map.entry("uri:deviceid", "lab:device-0001"),
            Map.entry("uri:username", "username:lab-user"),
            Map.entry("uri:email", "mailto:lab@example.org"),
            Map.entry("uri:phonenumber", "tel:+31600000000"));

    private Device() {}

    /** Sets the clock, if {@code now} says a moment, and where files are found. */
    static void prepare(String now, List<Path> folders) {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        DateTimeZone.setDefault(DateTimeZone.UTC);
        if (!now.isEmpty()) {
            DateTimeUtils.setCurrentMillisFixed(Instant.parse(now).toEpochMilli());
        }
        new XFormsModule().registerModule();
        PropertyManager.setPropertyManager(new Properties());
        ReferenceManager.instance().reset();
        ReferenceManager.instance().addReferenceFactory(new Media(folders));
    }

    /** {@code jr://…/NAME} is the file of that name in the first folder that has it. */
    private record Media(List<Path> folders) implements ReferenceFactory {
        @Override
        public boolean derives(String uri) {
            return uri.startsWith("jr://");
        }

        @Override
        public Reference derive(String uri) throws InvalidReferenceException {
            var name = uri.substring(uri.lastIndexOf('/') + 1);
            var found = folders.stream().map(folder -> folder.resolve(name)).filter(Files::isRegularFile).findFirst();
            return new MediaFile(uri, found.orElse(folders.get(folders.size() - 1).resolve(name)));
        }

        @Override
        public Reference derive(String uri, String context) throws InvalidReferenceException {
            return derive(uri);
        }
    }

    private record MediaFile(String uri, Path path) implements Reference {
        @Override
        public boolean doesBinaryExist() {
            return Files.exists(path);
        }

        @Override
        public InputStream getStream() throws IOException {
            return Files.newInputStream(path);
        }

        @Override
        public String getURI() {
            return uri;
        }

        @Override
        public String getLocalURI() {
            return path.toString();
        }

        @Override
        public boolean isReadOnly() {
            return true;
        }

        @Override
        public OutputStream getOutputStream() throws IOException {
            throw new IOException("the form's files are only read");
        }

        @Override
        public void remove() throws IOException {
            throw new IOException("the form's files are only read");
        }

        @Override
        public Reference[] probeAlternativeReferences() {
            return new Reference[0];
        }
    }

    /** The moments of beginning and finalising, by the clock that can be set: JavaRosa's own asks the machine. */
    static final class Timestamps implements IPreloadHandler {
        @Override
        public String preloadHandled() {
            return "timestamp";
        }

        @Override
        public IAnswerData handlePreload(String parameter) {
            return parameter.equals("start") ? now() : null;
        }

        @Override
        public boolean handlePostProcess(TreeElement node, String parameter) {
            if (parameter.equals("end")) {
                node.setAnswer(now());
            }
            return parameter.equals("end");
        }

        private static DateTimeData now() {
            return new DateTimeData(new DateTime().toDate());
        }
    }

    private static final class Properties implements IPropertyManager {
        @Override
        public String getSingularProperty(String name) {
            return PROPERTIES.getOrDefault(name, "");
        }

        @Override
        public List<String> getProperty(String name) {
            return List.of(getSingularProperty(name));
        }

        @Override
        public void setProperty(String name, String value) {}

        @Override
        public void setProperty(String name, List<String> value) {}

        @Override
        public void addRules(IPropertyRules rules) {}

        @Override
        public List<IPropertyRules> getRules() {
            return List.of();
        }
    }
}
