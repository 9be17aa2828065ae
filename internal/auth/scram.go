package auth

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/xdg-go/scram"
)

// minIterations is what RFC 7677 asks for, and the least that Kafka stores.
// Fewer would be somebody who wants to guess the password.
const minIterations = 4096

// SCRAM is one login by SCRAM, in the form that sarama wants
// (sarama.SCRAMClient): Begin, then Step until Done. Both client libraries log
// in with it, so that a password means the same bytes to them: Kafka, like
// this, takes it as it is, where other implementations prepare it by RFC 4013.
type SCRAM struct {
	of   *Auth
	conv *scram.ClientConversation
}

// SCRAM returns a new login. The mechanism must be one of the two.
func (a *Auth) SCRAM() *SCRAM { return &SCRAM{of: a} }

// Begin reads the password. Its arguments are what the client was built with,
// and are not used: they may be old.
func (s *SCRAM) Begin(string, string, string) error {
	password, err := s.of.Password()
	if err != nil {
		return err
	}
	hash := scram.HashGeneratorFcn(sha512.New)
	if s.of.cfg.Mechanism == SCRAM256 {
		hash = sha256.New
	}
	client, err := hash.NewClientUnprepped(s.of.cfg.User, password, "")
	if err != nil {
		return errSCRAM
	}
	s.conv = client.WithMinIterations(minIterations).NewConversation()
	return nil
}

// errSCRAM stands for what the library says, which may hold what was sent.
var errSCRAM = errors.New("SCRAM login is refused, want a broker that knows the password")

// Step answers the broker; the first call, with "", begins.
func (s *SCRAM) Step(challenge string) (string, error) {
	answer, err := s.conv.Step(challenge)
	if err != nil {
		return "", fmt.Errorf("%w (%s)", errSCRAM, s.of.cfg.Mechanism)
	}
	return answer, nil
}

// Done reports whether the broker has proven, too, that it knows the password.
func (s *SCRAM) Done() bool { return s.conv.Done() && s.conv.Valid() }

// scramMechanism is SCRAM in the form that franz-go wants.
type scramMechanism struct{ of *Auth }

// Name implements sasl.Mechanism.
func (m scramMechanism) Name() string { return m.of.cfg.Mechanism }

// Authenticate implements sasl.Mechanism.
func (m scramMechanism) Authenticate(context.Context, string) (sasl.Session, []byte, error) {
	s := m.of.SCRAM()
	if err := s.Begin("", "", ""); err != nil {
		return nil, nil, err
	}
	first, err := s.Step("")
	return scramSession{s}, []byte(first), err
}

type scramSession struct{ s *SCRAM }

// Challenge implements sasl.Session.
func (s scramSession) Challenge(challenge []byte) (bool, []byte, error) {
	answer, err := s.s.Step(string(challenge))
	return s.s.Done(), []byte(answer), err
}
