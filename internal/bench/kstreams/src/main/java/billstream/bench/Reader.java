package billstream.bench;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.apache.kafka.common.errors.SerializationException;

/** Takes a value apart that a Writer, or the bench, put together. */
final class Reader {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private final byte[] bytes;
    private int at;

    Reader(byte[] bytes) {
        this.bytes = bytes;
    }

    byte octet() {
        return bytes[take(1)];
    }

    long fixed() {
        return (long) LONG.get(bytes, take(Long.BYTES));
    }

    long varint() {
        long v = uvarint();
        return v >>> 1 ^ -(v & 1);
    }

    String string() {
        long length = uvarint();
        if (length < 0 || length > bytes.length) {
            throw wrong();
        }
        return new String(bytes, take((int) length), (int) length, StandardCharsets.UTF_8);
    }

    /** Checks that nothing is left. */
    void end(String what) {
        if (at != bytes.length) {
            throw new SerializationException("decode an " + what + ": length of the value is wrong");
        }
    }

    private long uvarint() {
        long v = 0;
        for (int shift = 0; shift < Long.SIZE; shift += 7) {
            byte b = octet();
            v |= (b & 0x7fL) << shift;
            if (b >= 0) {
                return v;
            }
        }
        throw wrong();
    }

    /** Goes on by n bytes and returns where they begin. */
    private int take(int n) {
        if (bytes.length - at < n) {
            throw wrong();
        }
        at += n;
        return at - n;
    }

    private static SerializationException wrong() {
        return new SerializationException("length of a value is wrong");
    }
}
