package billstream.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * The other end of the bench's dialogue. The first line of the input says what to be; it is
 * answered with a hello, and every further line with a sample. The end of the input is the end of
 * the work.
 */
public final class Main {
    private static final HexFormat HEX = HexFormat.of();

    private Main() {}

    /** Runs until the input ends. A work that ends by itself ends the process with 1. */
    public static void main(String[] args) throws IOException {
        var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        String first = in.readLine();
        if (first == null) {
            throw new IOException("first line is missing, want what to be");
        }
        var json = new ObjectMapper();
        Spec spec = Spec.of(json.readTree(first));
        if (spec.way().equals(Spec.FOLD)) {
            fold(in, out);
            return;
        }
        // Native libraries are unpacked there, and go when the parent removes the directory.
        System.setProperty("java.io.tmpdir", spec.dir());
        try (var twin = new Twin(spec)) {
            twin.start();
            out.println(json.createObjectNode().put("addr", ""));
            while (in.readLine() != null) {
                out.println(Sample.take(json.createObjectNode(), twin));
            }
        }
    }

    /**
     * Answers lines "event row" with "row update", all in hexadecimal and the row "-" where there is
     * none: the job without Kafka, for tests.
     */
    private static void fold(BufferedReader in, PrintStream out) throws IOException {
        out.println("{}");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            Event event = Event.decode(HEX.parseHex(words[0]));
            Account account = words[1].equals("-") ? new Account() : Account.decode(HEX.parseHex(words[1]));
            Update update = account.apply(event);
            out.println(HEX.formatHex(account.encode()) + " " + HEX.formatHex(update.encode()));
        }
    }
}
