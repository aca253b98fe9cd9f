package org.veldwerk.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.javarosa.core.model.Constants;
import org.javarosa.core.model.FormDef;
import org.javarosa.core.model.FormIndex;
import org.javarosa.core.model.GroupDef;
import org.javarosa.core.model.QuestionDef;
import org.javarosa.core.model.SelectChoice;
import org.javarosa.core.model.data.AnswerDataFactory;
import org.javarosa.core.model.data.IAnswerData;
import org.javarosa.core.model.data.MultipleItemsData;
import org.javarosa.core.model.data.SelectOneData;
import org.javarosa.core.model.data.UncastData;
import org.javarosa.core.model.instance.InstanceInitializationFactory;
import org.javarosa.core.model.instance.TreeElement;
import org.javarosa.core.model.instance.TreeReference;
import org.javarosa.form.api.FormEntryController;
import org.javarosa.form.api.FormEntryModel;
import org.javarosa.form.api.FormEntryPrompt;
import org.javarosa.model.xform.XFormSerializingVisitor;
import org.javarosa.xform.parse.XFormParser;
import org.javarosa.xform.util.XFormUtils;
import org.veldwerk.peers.Driver.Refusal;

/** One record being filled, and the events that change it. */
final class Record {
    private static final int ROUNDS_OF_SETTLING = 6;

    private final Path source;
    private FormDef form;
    private Body body;

    private Record(Path source) {
        this.source = source;
    }

    /** A new record, or the one that {@code instance} holds. */
    static Record open(Path source, byte[] instance) throws Exception {
        var record = new Record(source);
        record.load(instance);
        return record;
    }

    private void load(byte[] instance) throws Exception {
        form = XFormUtils.getFormFromFormXml(source.toString(), null);
        form.getPreloader().addPreloadHandler(new Device.Timestamps());
        if (instance != null) {
            lay(instance);
        }
        form.initialize(instance == null, new InstanceInitializationFactory());
        body = new Body(form);
        settle();
    }

    /** Lays a saved record over the form's own instance, as Collect does. */
    private void lay(byte[] instance) {
        var saved = XFormParser.restoreDataModel(instance, null).getRoot();
        var root = form.getInstance().getRoot().deepCopy(true);
        if (!saved.getName().equals(root.getName()) || saved.getMult() != 0) {
            throw new IllegalArgumentException("the record is of another form");
        }
        root.populate(saved, form);
        form.getInstance().setRoot(root);
        if (form.getLocalizer() != null) {
            form.localeChanged(form.getLocalizer().getLocale(), form.getLocalizer());
        }
    }

    ObjectNode description() {
        return State.describe(form);
    }

    ObjectNode state() throws IOException {
        return new State(form, body).write();
    }

    /** What the answered node now violates, or null. */
    String apply(JsonNode event) throws Exception {
        var reference = event.path("ref").asText();
        var value = event.path("value");
        switch (event.path("op").asText()) {
            case "answer":
                return answer(reference, value.isNull() ? "" : value.asText());
            case "add-repeat":
                addRepeat(reference);
                break;
            case "remove-repeat":
                removeRepeat(reference);
                break;
            case "language":
                switchLanguage(value.asText());
                break;
            case "reload":
                reload();
                break;
            case "finalize":
                // Its own validation would answer every question again and so undo what a person changed in a calculated one.
                form.postProcessInstance();
                break;
            default:
                throw new Refusal("unsupported");
        }
        settle();
        return null;
    }

    private String answer(String reference, String text) throws Refusal {
        var node = node(reference);
        var question = body.questions.get(Body.path(node.getRef()));
        if (question == null) {
            throw new Refusal("not-a-question");
        }
        if (!node.isRelevant()) {
            throw new Refusal("not-relevant");
        }
        if (!node.isEnabled()) {
            throw new Refusal("readonly");
        }
        var answer = text.isEmpty() ? null : answerOf(question, node, text);
        if (answer != null || node.getValue() != null) {
            form.setValue(answer, node.getRef(), node, true);
        }
        settle();
        var violation = State.violation(form, question, node);
        return violation.equals("ok") ? null : violation;
    }

    private IAnswerData answerOf(QuestionDef question, TreeElement node, String text) throws Refusal {
        var control = question.getControlType();
        if (control == Constants.CONTROL_SELECT_ONE) {
            return new SelectOneData(choice(question, node, text).selection());
        }
        if (control == Constants.CONTROL_SELECT_MULTI || control == Constants.CONTROL_RANK) {
            var selections = new ArrayList<org.javarosa.core.model.data.helper.Selection>();
            for (var word : text.trim().split("\\s+")) {
                selections.add(choice(question, node, word).selection());
            }
            return new MultipleItemsData(selections);
        }
        try {
            return AnswerDataFactory.template(control, node.getDataType()).cast(new UncastData(text));
        } catch (IllegalArgumentException unreadable) {
            throw new Refusal("invalid-value");
        }
    }

    private SelectChoice choice(QuestionDef question, TreeElement node, String value) throws Refusal {
        for (var choice : choices(form, question, node.getRef())) {
            if (choice.getValue().equals(value)) {
                return choice;
            }
        }
        throw new Refusal("invalid-choice");
    }

    static List<SelectChoice> choices(FormDef form, QuestionDef question, TreeReference reference) {
        var itemset = question.getDynamicChoices();
        var choices = itemset == null ? question.getChoices() : itemset.getChoices(form, reference);
        return choices == null ? List.of() : choices;
    }

    private void addRepeat(String range) throws Exception {
        var parent = node(range.substring(0, range.lastIndexOf('/')));
        var name = range.substring(range.lastIndexOf('/') + 1);
        var repeat = repeat(Body.path(parent.getRef()) + "/" + name);
        var row = parent.getRef().extendRef(name, parent.getChildMultiplicity(name));
        if (!parent.isRelevant() || !form.isRepeatRelevant(row)) {
            throw new Refusal("not-relevant");
        }
        form.createNewRepeat(body.nextRow(repeat, row));
    }

    private void removeRepeat(String reference) throws Refusal {
        var node = node(reference);
        var repeat = repeat(Body.path(node.getRef()));
        if (!reference.endsWith("]")) {
            throw new Refusal("no-such-node");
        }
        if (!node.isRelevant()) {
            throw new Refusal("not-relevant");
        }
        form.deleteRepeat(body.nextRow(repeat, node.getRef()));
    }

    private GroupDef repeat(String path) throws Refusal {
        var repeat = body.repeats.get(path);
        if (repeat == null) {
            throw new Refusal("no-such-node");
        }
        if (isLocked(repeat)) {
            throw new Refusal("not-allowed");
        }
        return repeat;
    }

    static boolean isLocked(GroupDef repeat) {
        return repeat.noAddRemove || repeat.getCountReference() != null;
    }

    private void switchLanguage(String language) throws Refusal {
        var localizer = form.getLocalizer();
        if (localizer == null || !localizer.hasLocale(language)) {
            throw new Refusal("no-such-language");
        }
        localizer.setLocale(language);
    }

    private void reload() throws Exception {
        var language = form.getLocalizer() == null ? null : form.getLocalizer().getLocale();
        load(new XFormSerializingVisitor().serializeInstance(form.getMainInstance()));
        if (language != null) {
            form.getLocalizer().setLocale(language);
        }
    }

    private TreeElement node(String reference) throws Refusal {
        for (var place : State.places(form)) {
            if (place.path().equals(reference)) {
                return place.node();
            }
        }
        throw new Refusal("no-such-node");
    }

    /** What JavaRosa does lazily as a person moves through the form: counted rows, and answers that are no longer offered. */
    private void settle() {
        for (var round = 0; round < ROUNDS_OF_SETTLING; round++) {
            var rows = State.places(form).size();
            moveThrough();
            if (!dropChoices() && State.places(form).size() == rows) {
                return;
            }
        }
    }

    private void moveThrough() {
        var controller = new FormEntryController(new FormEntryModel(form));
        controller.jumpToIndex(FormIndex.createBeginningOfFormIndex());
        while (controller.stepToNextEvent() != FormEntryController.EVENT_END_OF_FORM) {
            // Moving is all: rows are made on the way.
        }
    }

    private boolean dropChoices() {
        var dropped = new boolean[1];
        body.walk(place -> {
            var node = place.node();
            if (place.control() instanceof QuestionDef question && question.getDynamicChoices() != null && node.isRelevant()) {
                var before = State.text(node);
                new FormEntryPrompt(form, place.index()).getSelectChoices();
                if (!Objects.equals(before, State.text(node))) {
                    form.setValue(node.getValue(), node.getRef(), node, true);
                    dropped[0] = true;
                }
            }
        });
        return dropped[0];
    }
}
