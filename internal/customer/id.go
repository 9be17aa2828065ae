package customer

// ID is a customer's id: the key of its records and the subject of its events.
// It is opaque, compared byte for byte, and never trimmed or folded.
type ID string
