package main

import "testing"

func TestSizesAreReadAndWritten(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]byteSize{"0": 0, "20kB": 20_000, "64MiB": 64 << 20, "1GiB": 1 << 30, "7B": 7, "512": 512, "3KiB": 3 << 10} {
		var got byteSize
		if err := got.UnmarshalText([]byte(in)); err != nil || got != want {
			t.Errorf("%s is %d, %v, want %d", in, got, err, want)
		}
		var again byteSize
		if err := again.UnmarshalText([]byte(got.String())); err != nil || again != got {
			t.Errorf("%d written as %s is %d, %v", got, got, again, err)
		}
	}
	for _, in := range []string{"", "MiB", "-1", "1.5MiB", "12 kB", "9999999999GiB"} {
		var got byteSize
		if err := got.UnmarshalText([]byte(in)); err == nil {
			t.Errorf("%q is %d, want an error", in, got)
		}
	}
}
