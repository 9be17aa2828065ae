package billstream.bench;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;

/** What this process has used since its start. */
final class Sample {
    private Sample() {}

    /** Writes the fields of the bench's sample. Allocations are not counted: nobody compares them. */
    static ObjectNode take(ObjectNode json, Twin twin) throws IOException {
        var system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        json.put("at", Instant.now().toString());
        json.put("cpu", system.getProcessCpuTime());
        json.put("peak_rss", highWater());
        json.put("allocs", 0);
        json.put("alloc_bytes", 0);
        json.put("commits", twin.commits());
        json.putObject("phases");
        json.put("processed", twin.processed());
        return json;
    }

    /** The peak of the resident memory in bytes, 0 where there is no /proc. */
    private static long highWater() throws IOException {
        Path status = Path.of("/proc/self/status");
        if (!Files.exists(status)) {
            return 0;
        }
        for (String line : Files.readAllLines(status)) {
            if (line.startsWith("VmHWM:")) {
                return Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        return 0;
    }
}
