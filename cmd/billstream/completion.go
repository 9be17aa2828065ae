package main

import (
	"github.com/alecthomas/kong"
	kongcompletion "github.com/jotaen/kong-completion"
)

// completionCommand prints what makes a shell ask us. kong-completion derives
// the answers from the grammar, so they need no care.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish."`
}

// Help is the lower part of the verb's help.
func (*completionCommand) Help() string {
	return `Put the line into the start file of the shell. The program must be found through PATH.

Examples:

    source <(billstream completion bash)
    billstream completion fish | source
`
}

// Run prints the code for a shell.
func (c *completionCommand) Run(k *kong.Context) error {
	return (&kongcompletion.Completion{Shell: c.Shell, Code: true}).Run(k)
}

// registerCompletion answers when a shell asks what could come next, and then
// leaves. The shell asks through the variable COMP_LINE.
func registerCompletion(k *kong.Kong) { kongcompletion.Register(k) }
