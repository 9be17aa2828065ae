package main

import (
	"fmt"
	"io"
	"os"

	"billstream/internal/auth"
)

// kafkaFlags say how to reach Kafka in safety. Every verb that connects to
// brokers has them. No flag holds a secret.
type kafkaFlags struct {
	KafkaTLS         bool   `group:"security" name:"kafka-tls" negatable:"" help:"Connect to brokers by TLS, and check their names."`
	KafkaCAFile      string `group:"security" name:"kafka-ca-file" placeholder:"FILE" help:"Who vouches for brokers, PEM; none: whom the system trusts. It and the next two are read again for every connection."`
	KafkaCertFile    string `group:"security" placeholder:"FILE" help:"Our own certificate, PEM."`
	KafkaKeyFile     string `group:"security" placeholder:"FILE" help:"The key of --kafka-cert-file, PEM."`
	SASLMechanism    string `group:"security" name:"sasl-mechanism" placeholder:"NAME" help:"How to log in: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; none: not at all."`
	SASLUser         string `group:"security" name:"sasl-user" placeholder:"NAME" help:"User of the login; client id of --sasl-token-url."`
	SASLPasswordFile string `group:"security" name:"sasl-password-file" placeholder:"FILE" help:"The password in its first line; read at every login. Or the variable BILLSTREAM_SASL_PASSWORD."`
	SASLTokenFile    string `group:"security" name:"sasl-token-file" placeholder:"FILE" help:"The token of OAUTHBEARER; read at every login."`
	SASLTokenURL     string `group:"security" name:"sasl-token-url" placeholder:"URL" help:"Where a token of OAUTHBEARER is given for --sasl-user and its password."`
	SASLScope        string `group:"security" name:"sasl-scope" placeholder:"SCOPES" help:"Scopes of the token of --sasl-token-url, separated by spaces."`
}

// security is the configuration that the flags and the environment ask for.
func (f *kafkaFlags) security() auth.Config {
	c := auth.Config{
		TLS: f.KafkaTLS, CAFile: f.KafkaCAFile, CertFile: f.KafkaCertFile, KeyFile: f.KafkaKeyFile,
		Mechanism: f.SASLMechanism, User: f.SASLUser, PasswordFile: f.SASLPasswordFile,
		TokenFile: f.SASLTokenFile, TokenURL: f.SASLTokenURL, Scope: f.SASLScope,
	}
	if f.SASLMechanism != "" {
		c.Password = os.Getenv(auth.PasswordVariable)
	}
	return c
}

// open checks the flags and returns what connects and logs in. What is unwise
// is told on w. A mistake is one of usage.
func (f *kafkaFlags) open(w io.Writer) (*auth.Auth, error) {
	a, err := auth.New(f.security())
	if err != nil {
		return nil, &usage{err: err}
	}
	for _, warning := range a.Warnings() {
		fmt.Fprintf(w, "billstream: warning: %s\n", warning)
	}
	return a, nil
}
