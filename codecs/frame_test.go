package codecs_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"billstream/codecs"
)

func TestFrameGivesTheRecordBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := records().Draw(t, "record")
		frame := codecs.AppendFrame([]byte("before"), &want)[len("before"):]
		got, err := codecs.ParseFrame(frame)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("frame gives %+v, %v, want %+v", got, err, want)
		}
	})
}

func TestFrameTellsNullFromEmpty(t *testing.T) {
	r := codecs.Record{Key: nil, Value: []byte{}, Headers: []codecs.Header{{Key: "a", Value: []byte{}}, {Key: "a"}}}
	got, err := codecs.ParseFrame(codecs.AppendFrame(nil, &r))
	if err != nil {
		t.Fatal(err)
	}
	if got.Key != nil || got.Value == nil || got.Headers[0].Value == nil || got.Headers[1].Value != nil {
		t.Errorf("frame gives %#v, want a null key, an empty value, an empty and a null header", got)
	}
}

func TestFrameThatIsCutIsRefused(t *testing.T) {
	r := codecs.Record{Partition: 7, Timestamp: 1, Key: []byte("key"), Headers: []codecs.Header{{Key: "h", Value: []byte("v")}}, Value: []byte("value")}
	frame := codecs.AppendFrame(nil, &r)
	for n := range frame {
		if _, err := codecs.ParseFrame(frame[:n]); !errors.Is(err, codecs.ErrFrame) {
			t.Errorf("the first %d of %d bytes give %v, want ErrFrame", n, len(frame), err)
		}
	}
	if _, err := codecs.ParseFrame(append(frame, 0)); !errors.Is(err, codecs.ErrFrame) {
		t.Errorf("a frame and one more byte give %v, want ErrFrame", err)
	}
}

func TestFrameCannotAskForMoreHeadersThanItHolds(t *testing.T) {
	frame := codecs.AppendFrame(nil, &codecs.Record{})
	many := binary.AppendUvarint(frame[:len(frame)-2], 1<<50) // no header, no value
	if _, err := codecs.ParseFrame(append(many, 0, 0)); !errors.Is(err, codecs.ErrFrame) {
		t.Errorf("a frame of 1<<50 headers gives %v, want ErrFrame", err)
	}
}

func TestFramesTakesRecordsAndFrames(t *testing.T) {
	r := &codecs.Record{Partition: -1, Key: []byte("k"), Value: []byte("v")}
	frame, err := codecs.Frames{}.Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	again, err := codecs.Frames{}.Encode(frame)
	if err != nil || !bytes.Equal(again, frame) {
		t.Errorf("a frame is encoded as %x, %v, want %x", again, err, frame)
	}
	back, err := codecs.Frames{}.Decode(frame)
	if err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("frame is decoded as %+v, %v, want %+v", back, err, r)
	}
	if _, err := (codecs.Frames{}).Encode("text"); err == nil {
		t.Error("a string is encoded, want an error")
	}
}

func FuzzParseFrame(f *testing.F) {
	f.Add(codecs.AppendFrame(nil, &codecs.Record{Key: []byte("k"), Headers: []codecs.Header{{Key: "h"}}, Value: []byte("v")}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := codecs.ParseFrame(b)
		if err != nil {
			return
		}
		again, err := codecs.ParseFrame(codecs.AppendFrame(nil, &r))
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("record comes back as %+v, %v, want %+v", again, err, r)
		}
	})
}
