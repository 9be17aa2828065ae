package main

import "log/slog"

// logFlags choose what is logged and how. Logs go to stderr.
type logFlags struct {
	LogLevel  string `group:"logs" enum:"debug,info,warn,error" default:"info" help:"Least level to log: debug, info, warn or error."`
	LogFormat string `group:"logs" enum:"auto,text,json" default:"auto" help:"Format of logs: text or json; auto: text on a terminal."`
}

// level is the least level to log.
func (f logFlags) level() slog.Level {
	switch f.LogLevel {
	case "debug":
		return slog.LevelDebug
	case "warn":
		return slog.LevelWarn
	case "error":
		return slog.LevelError
	}
	return slog.LevelInfo
}

// handler writes log lines to s.
func (f logFlags) handler(s *screen) slog.Handler {
	options := &slog.HandlerOptions{Level: f.level()}
	if f.LogFormat == "text" || f.LogFormat == "auto" && s.terminal {
		return slog.NewTextHandler(s, options)
	}
	return slog.NewJSONHandler(s, options)
}
