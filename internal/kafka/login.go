package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"billstream/internal/auth"
)

// tokenWait bounds the fetch of a token for one login.
const tokenWait = 15 * time.Second

// login makes sarama log in as a says. sarama keeps the password of its
// configuration for as long as a client lives: each mechanism asks a instead,
// at every login, and what the configuration holds is never sent.
func login(s *sarama.Config, a *auth.Auth) {
	sasl := &s.Net.SASL
	switch a.Mechanism() {
	case "":
		return
	case auth.OAuth:
		sasl.TokenProvider = tokens{a}
	case auth.SCRAM256, auth.SCRAM512:
		sasl.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return a.SCRAM() }
	}
	sasl.Enable = true
	sasl.Mechanism = sarama.SASLMechanism(a.Mechanism())
	sasl.User = a.User()
	sasl.Password = placeholder
}

// placeholder stands where sarama wants a password.
const placeholder = "placeholder"

// tokens is sarama.AccessTokenProvider.
type tokens struct{ of *auth.Auth }

// Token implements sarama.AccessTokenProvider.
func (t tokens) Token() (*sarama.AccessToken, error) {
	ctx, cancel := context.WithTimeout(context.Background(), tokenWait)
	defer cancel()
	token, err := t.of.Token(ctx)
	if err != nil {
		return nil, err
	}
	return &sarama.AccessToken{Token: token}, nil
}

// passwords returns dial, whose connections put the password of the moment into
// a login by PLAIN: for this mechanism alone sarama has no hook.
func passwords(dial auth.DialFunc, a *auth.Auth) auth.DialFunc {
	if a.Mechanism() != auth.Plain {
		return dial
	}
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &plainConn{conn, a}, nil
	}
}

type plainConn struct {
	net.Conn
	of *auth.Auth
}

// saslAuthenticate is the key of the request in Kafka's protocol.
const saslAuthenticate = 36

var errFrame = errors.New("login request is cut off, want one whole request at a time")

// Write passes requests on; sarama writes each with one call. Of a
// SaslAuthenticate it keeps the header and writes the body anew, up to version 2
// as sarama does: the bytes of RFC 4616 and, from version 2 on, no tagged
// fields.
func (c *plainConn) Write(request []byte) (int, error) {
	const key, version, clientID = 4, 6, 12 // where they stand
	if len(request) < clientID+2 || binary.BigEndian.Uint16(request[key:]) != saslAuthenticate {
		return c.Conn.Write(request)
	}
	flexible := binary.BigEndian.Uint16(request[version:]) >= 2
	header := clientID + 2 + int(binary.BigEndian.Uint16(request[clientID:]))
	if flexible {
		header++ // the header's tagged fields: none
	}
	if header > len(request) {
		return 0, errFrame
	}
	password, err := c.of.Password()
	if err != nil {
		return 0, err
	}
	message := "\x00" + c.of.User() + "\x00" + password
	anew := slices.Clone(request[:header])
	if flexible {
		anew = binary.AppendUvarint(anew, uint64(len(message))+1)
		anew = append(append(anew, message...), 0)
	} else {
		anew = binary.BigEndian.AppendUint32(anew, uint32(len(message)))
		anew = append(anew, message...)
	}
	binary.BigEndian.PutUint32(anew, uint32(len(anew)-4))
	if _, err := c.Conn.Write(anew); err != nil {
		return 0, err
	}
	return len(request), nil
}
