package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"billstream/codecs"
)

// Set by the linker; empty in a build without the Makefile.
var version, revision string

// versionCommand says what to put into a bug report.
type versionCommand struct {
	outputFlag
}

// Help is the lower part of the verb's help.
func (*versionCommand) Help() string {
	return `Examples:

    billstream version
    billstream version --output json
`
}

// programInfo is what this program is made of.
type programInfo struct {
	Version     string `json:"version"`
	Revision    string `json:"revision"`
	Go          string `json:"go"`
	Goka        string `json:"goka"`
	Sarama      string `json:"sarama"`
	StateFormat uint32 `json:"state_format"`
}

// Run prints what the program is.
func (v *versionCommand) Run(p *program) error {
	info := readProgramInfo()
	if v.json() {
		return printJSON(p.stdout, info)
	}
	return printTable(p.stdout, [][]string{
		{"version", info.Version},
		{"revision", info.Revision},
		{"go", info.Go},
		{"goka", info.Goka},
		{"sarama", info.Sarama},
		{"state format", fmt.Sprint(info.StateFormat)},
	})
}

// programVersion is the version alone.
func programVersion() string { return readProgramInfo().Version }

// readProgramInfo reads what the Go command noted in the binary.
func readProgramInfo() programInfo {
	info := programInfo{Goka: "unknown", Sarama: "unknown", StateFormat: stateFormat()}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		build = &debug.BuildInfo{}
	}
	info.Go = cmp.Or(build.GoVersion, "unknown")
	info.Version = cmp.Or(version, build.Main.Version, "unknown")
	vcs := ""
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" {
			vcs = s.Value
		}
	}
	info.Revision = cmp.Or(revision, vcs, "unknown")
	for _, d := range build.Deps {
		switch d.Path {
		case "github.com/lovoo/goka":
			info.Goka = d.Version
		case "github.com/IBM/sarama":
			info.Sarama = d.Version
		}
	}
	return info
}

// stateFormat is the newest format of rows that this program reads, and the one
// that it writes.
func stateFormat() uint32 {
	format, _ := codecs.RowFormat(codecs.AppendPosition(nil, &codecs.PositionRow{}))
	return format
}
