// Package auth is who we are to a Kafka broker, and how we know that it is one:
// TLS with the broker's name checked, and a login by SASL. Both client
// libraries take from it what they need, so that they log in alike.
//
// Secrets and certificates are read when they are used: a rotated certificate
// serves the next connection, a rotated password or token the next login, and
// no process has to be started again. No error and no log line holds a secret.
package auth
