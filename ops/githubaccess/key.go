package githubaccess

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// What ParseKey says of texts that are something else than an RSA private key.
// None of it holds key material.
var (
	errNoKey     = errors.New("it is no key in PEM form, as GitHub hands it out, nor base64 of one")
	errEmptyKey  = errors.New("it is empty")
	errPublicKey = errors.New("this is the public key: take the private key that GitHub had you download, which begins with -----BEGIN RSA PRIVATE KEY-----")
	errNotRSA    = errors.New("the private key is no RSA key in PKCS #1 or PKCS #8 form")
	errLocked    = errors.New("the private key is locked with a passphrase: take the one that GitHub had you download, or unlock it with openssl pkey")
	errCutOff    = errors.New("the private key is cut off or damaged: it must hold all from -----BEGIN to -----END")
)

// ParseKey reads an RSA key as GitHub hands it out (PKCS #1) or as openssl
// converts it (PKCS #8), in the forms that environments and secret stores make of
// PEM: with line ends, with \n as two letters, with spaces or nothing in their
// place, in quotation marks, and as base64. White space around it doesn't count.
// The error never holds key material.
func ParseKey(text []byte) (*rsa.PrivateKey, error) {
	plain := unquoted(string(text))
	if plain == "" {
		return nil, errEmptyKey
	}
	kind, der, err := unarmoured(plain)
	if decoded, ok := fromBase64(plain); ok && errors.Is(err, errNoKey) {
		if kind, der, err = unarmoured(unquoted(string(decoded))); errors.Is(err, errNoKey) {
			kind, der, err = "", decoded, nil // PEM without its first and its last line
		}
	}
	if err != nil {
		return nil, err
	}
	return parseDER(kind, der)
}

// IsKey tells whether a text is meant to be a key, and so must be shown to nobody,
// not even where ParseKey refuses it.
func IsKey(text string) bool {
	if _, _, err := unarmoured(text); !errors.Is(err, errNoKey) {
		return true
	}
	decoded, ok := fromBase64(unquoted(text))
	return ok && len(decoded) > 100
}

func parseDER(kind string, der []byte) (*rsa.PrivateKey, error) {
	if strings.HasPrefix(kind, "ENCRYPTED") {
		return nil, errLocked
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if key, ok := parsed.(*rsa.PrivateKey); err == nil && ok {
		return key, nil
	}
	_, notPKIX := x509.ParsePKIXPublicKey(der)
	_, notPKCS1 := x509.ParsePKCS1PublicKey(der)
	switch {
	case strings.HasSuffix(kind, "PUBLIC KEY"), notPKIX == nil, notPKCS1 == nil:
		return nil, errPublicKey
	case kind == "":
		return nil, errNoKey
	case !strings.HasSuffix(kind, "PRIVATE KEY"):
		return nil, fmt.Errorf("this is a %s, and no private key", strings.ToLower(kind))
	case kind == "RSA PRIVATE KEY":
		return nil, errCutOff
	case err == nil, kind != "PRIVATE KEY":
		return nil, errNotRSA
	}
	return nil, errCutOff
}

var (
	armour = regexp.MustCompile(`(?s)-----BEGIN ([A-Z0-9 ]+)-----(.*?)-----END ([A-Z0-9 ]+)-----`)
	header = regexp.MustCompile(`(?m)^[A-Za-z-]+: .*$`)
)

// unarmoured takes a key out of its PEM, whatever became of the line ends. The
// kind is what stands behind BEGIN.
func unarmoured(text string) (kind string, der []byte, err error) {
	text = lineEnds.Replace(text)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		if block.Headers["DEK-Info"] != "" {
			return "", nil, errLocked
		}
		return block.Type, block.Bytes, nil
	}
	parts := armour.FindStringSubmatch(text)
	switch {
	case parts == nil && strings.Contains(text, "-----BEGIN"):
		return "", nil, errCutOff
	case parts == nil:
		return "", nil, errNoKey
	case strings.Contains(parts[2], "ENCRYPTED"):
		return "", nil, errLocked
	}
	der, ok := fromBase64(header.ReplaceAllString(parts[2], ""))
	if !ok || parts[1] != parts[3] {
		return "", nil, errCutOff
	}
	return parts[1], der, nil
}

// lineEnds makes line ends of what stands for them as letters.
var lineEnds = strings.NewReplacer(`\\r\\n`, "\n", `\\n`, "\n", `\r\n`, "\n", `\n`, "\n", `\r`, "\n")

// unquoted cuts white space, a byte order mark and quotation marks around a text.
func unquoted(text string) string {
	text = strings.TrimFunc(text, around)
	for _, mark := range []string{`"`, `'`} {
		if len(text) > 1 && strings.HasPrefix(text, mark) && strings.HasSuffix(text, mark) {
			text = strings.TrimFunc(text[1:len(text)-1], around)
		}
	}
	return text
}

func around(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' }

// fromBase64 decodes either alphabet, with and without padding and line ends.
func fromBase64(text string) ([]byte, bool) {
	text = strings.Map(func(r rune) rune {
		switch {
		case around(r), r == '=':
			return -1
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		}
		return r
	}, lineEnds.Replace(text))
	decoded, err := base64.RawStdEncoding.DecodeString(text)
	return decoded, err == nil && len(decoded) > 0
}
