package awstest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// newUUID is a random version 4 UUID, the form of AWS's request IDs.
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	return formatUUID(b)
}

// stableUUID always makes the same UUID of the same words, so that a world set up twice has the same IDs.
func stableUUID(words ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(words, "\x00")))
	return formatUUID([16]byte(sum[:16]))
}

func formatUUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func randomHex(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// randomSecret looks like a secret access key or, longer, like a session token.
func randomSecret(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// randomKeyID makes an access key ID: AKIA for long-lived keys, ASIA for those of a session.
func randomKeyID(prefix string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, 16)
	rand.Read(b)
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return prefix + string(b)
}

// arnParts are the six parts of an ARN; the last may hold colons. ok is false when s isn't one.
func arnParts(s string) (parts []string, ok bool) {
	parts = strings.SplitN(s, ":", 6)
	return parts, len(parts) == 6 && parts[0] == "arn"
}
