package billstream.bench;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Puts a value together. Numbers and lengths are those of Go's encoding/binary. */
final class Writer {
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.BIG_ENDIAN);

    private byte[] buffer = new byte[256];
    private int size;

    /** What was written. */
    byte[] bytes() {
        return Arrays.copyOf(buffer, size);
    }

    void octet(byte v) {
        reserve(1);
        buffer[size++] = v;
    }

    /** Eight bytes, the highest first. */
    void fixed(long v) {
        reserve(Long.BYTES);
        LONG.set(buffer, size, v);
        size += Long.BYTES;
    }

    /** Seven bits per byte, the lowest first; the sign is the lowest of all. */
    void varint(long v) {
        uvarint(v << 1 ^ v >> 63);
    }

    /** The length in bytes, then UTF-8. */
    void string(String s) {
        byte[] utf8 = s.getBytes(StandardCharsets.UTF_8);
        uvarint(utf8.length);
        reserve(utf8.length);
        System.arraycopy(utf8, 0, buffer, size, utf8.length);
        size += utf8.length;
    }

    private void uvarint(long v) {
        reserve(10); // 64 bits are no more
        while ((v & ~0x7fL) != 0) {
            buffer[size++] = (byte) (v | 0x80);
            v >>>= 7;
        }
        buffer[size++] = (byte) v;
    }

    private void reserve(int more) {
        if (buffer.length - size < more) {
            buffer = Arrays.copyOf(buffer, Math.max(2 * buffer.length, size + more));
        }
    }
}
