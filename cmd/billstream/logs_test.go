package main

import (
	"log/slog"
	"strings"
	"testing"
)

func TestLogFormatFollowsTheTerminalUnlessAsked(t *testing.T) {
	for _, c := range []struct {
		format   string
		terminal bool
		want     string
	}{
		{"auto", true, "level=INFO msg=hello"},
		{"auto", false, `"level":"INFO","msg":"hello"`},
		{"text", false, "level=INFO msg=hello"},
		{"json", true, `"level":"INFO","msg":"hello"`},
	} {
		var out strings.Builder
		slog.New(logFlags{LogLevel: "info", LogFormat: c.format}.handler(&screen{w: &out, terminal: c.terminal})).Info("hello")
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("--log-format %s with terminal %t writes %q, want %s", c.format, c.terminal, out.String(), c.want)
		}
	}
}

func TestLogLevelIsTheLeast(t *testing.T) {
	for level, want := range map[string]string{"debug": "dwiE", "info": "wiE", "warn": "wE", "error": "E"} {
		var out strings.Builder
		l := slog.New(logFlags{LogLevel: level, LogFormat: "text"}.handler(newScreen(&out)))
		l.Debug("d")
		l.Warn("w")
		l.Info("i")
		l.Error("E")
		got := ""
		for line := range strings.Lines(out.String()) {
			_, msg, _ := strings.Cut(strings.TrimSpace(line), "msg=")
			got += msg
		}
		if got != want {
			t.Errorf("--log-level %s writes %q, want %q", level, got, want)
		}
	}
}
