package org.veldwerk.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * JavaRosa behind the neutral driver interface: {@code batch JOBS.jsonl}, one JSON job a line, each writes the file it names
 * as {@code out}. A job that never ends is for the caller to stop.
 *
 * <p>{@code today()} and the date of a new record are the machine's: only what asks Joda-Time stands at the job's {@code now}.
 */
public final class Driver {
    static final ObjectMapper JSON = new ObjectMapper();
    private static final long STACK_BYTES = 64L << 20;

    private Driver() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments.length != 2 || !arguments[0].equals("batch")) {
            System.err.println("usage: batch JOBS.jsonl");
            System.exit(2);
        }
        var jobs = Files.readAllLines(Path.of(arguments[1]));
        // A thread of its own, because JavaRosa recurses deeper than a main thread's stack bears.
        var work = new Thread(null, () -> jobs.forEach(Driver::batchJob), "jobs", STACK_BYTES);
        work.start();
        work.join();
    }

    private static void batchJob(String line) {
        try {
            if (!line.isBlank()) {
                var job = JSON.readTree(line);
                var out = Path.of(job.get("out").asText());
                var unfinished = out.resolveSibling(out.getFileName() + ".new");
                JSON.writeValue(unfinished.toFile(), run(job));
                Files.move(unfinished, out);
            }
        } catch (IOException unwritable) {
            throw new UncheckedIOException(unwritable);
        }
    }

    private static ObjectNode run(JsonNode job) {
        try {
            return replay(job);
        } catch (Exception | StackOverflowError | OutOfMemoryError problem) {
            return failure("load-error", String.valueOf(problem));
        }
    }

    private static ObjectNode replay(JsonNode job) throws Exception {
        var form = Path.of(job.get("form").asText());
        Device.prepare(job.path("now").asText(), folders(job, form));
        var instance = job.hasNonNull("instance") ? Files.readAllBytes(Path.of(job.get("instance").asText())) : null;
        var record = Record.open(form, instance);
        var output = head("ok");
        output.set("form", record.description());
        output.set("events", job.path("events"));
        var results = output.putArray("results");
        var snapshots = output.putObject("snapshots");
        for (var event : job.path("events")) {
            results.add(result(record, event, snapshots));
        }
        output.set("state", record.state());
        return output;
    }

    private static ObjectNode result(Record record, JsonNode event, ObjectNode snapshots) {
        var result = JSON.createObjectNode();
        try {
            if (event.path("op").asText().equals("snapshot")) {
                snapshots.set(event.path("name").asText(), record.state());
            } else {
                var violation = record.apply(event);
                if (violation != null) {
                    result.put("violation", violation);
                }
            }
            result.put("r", "ok");
        } catch (Refusal refusal) {
            result.put("r", refusal.code);
        } catch (Exception | StackOverflowError problem) {
            result.put("r", "error").put("error", String.valueOf(problem));
        }
        return result;
    }

    /** Where the form's files are looked for: the folders named, then FORM-media and the form's own. */
    private static List<Path> folders(JsonNode job, Path form) {
        var folders = new ArrayList<Path>();
        job.path("media").forEach(folder -> folders.add(Path.of(folder.asText())));
        var own = form.toAbsolutePath().getParent();
        folders.add(own.resolve(form.getFileName().toString().replaceFirst("\\.[^.]*$", "") + "-media"));
        folders.add(own);
        return folders;
    }

    private static ObjectNode failure(String status, String error) {
        return head(status).put("error", error);
    }

    private static ObjectNode head(String status) {
        return JSON.createObjectNode().put("engine", "javarosa").put("version", "6.0.0").put("status", status);
    }

    /** An event that changes nothing, with the driver's code for why. */
    static final class Refusal extends Exception {
        private static final long serialVersionUID = 1L;
        final String code;

        Refusal(String code) {
            super(code);
            this.code = code;
        }
    }
}
