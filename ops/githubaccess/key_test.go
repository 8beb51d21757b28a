package githubaccess_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestAKeyIsReadInEveryFormThatSecretStoresMakeOfIt(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	one, eight := block("RSA PRIVATE KEY", pkcs1), block("PRIVATE KEY", pkcs8)
	wrapped := func(text string) string {
		var b strings.Builder
		for i := 0; i < len(text); i += 76 {
			b.WriteString(text[i:min(i+76, len(text))] + "\n")
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"as GitHub hands it out":              one,
		"as openssl converts it":              eight,
		"with text around it":                 "a key:\n" + eight + "\nthat was it",
		"with line ends of Windows":           strings.ReplaceAll(one, "\n", "\r\n"),
		"with a byte order mark":              "\ufeff" + one,
		"with white space around it":          " \n\t" + one + "\n\n ",
		"with the line ends as two letters":   strings.ReplaceAll(one, "\n", `\n`),
		"the same, converted":                 strings.ReplaceAll(eight, "\n", `\n`),
		"with those of Windows as letters":    strings.ReplaceAll(one, "\n", `\r\n`),
		"with the line ends escaped twice":    strings.ReplaceAll(one, "\n", `\\n`),
		"with some line ends as letters":      strings.Replace(one, "\n", `\n`, 3),
		"with spaces in place of line ends":   strings.ReplaceAll(one, "\n", " "),
		"without line ends":                   strings.ReplaceAll(eight, "\n", ""),
		"in double quotation marks":           `"` + strings.ReplaceAll(one, "\n", `\n`) + `"`,
		"in single quotation marks":           `'` + one + `'`,
		"as base64":                           base64.StdEncoding.EncodeToString([]byte(one)),
		"as base64 with a line end behind":    base64.StdEncoding.EncodeToString([]byte(eight)) + "\n",
		"as base64 in lines":                  wrapped(base64.StdEncoding.EncodeToString([]byte(one))),
		"as base64 without padding":           base64.RawStdEncoding.EncodeToString([]byte(one)),
		"as base64 for addresses":             base64.URLEncoding.EncodeToString([]byte(one)),
		"as base64 of letters for line ends":  base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(one, "\n", `\n`))),
		"without its first and last line":     strings.Join(strings.Split(one, "\n")[1:strings.Count(one, "\n")-1], "\n"),
		"as base64 of the key without PEM":    base64.StdEncoding.EncodeToString(pkcs8),
		"as base64 with \\n as letters in it": strings.ReplaceAll(wrapped(base64.StdEncoding.EncodeToString([]byte(one))), "\n", `\n`),
		"as base64 in double quotation marks": `"` + base64.StdEncoding.EncodeToString([]byte(one)) + `"`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := githubaccess.ParseKey([]byte(text)); err != nil || !got.Equal(key) {
				t.Errorf("got %v", err)
			}
			if !githubaccess.IsKey(text) {
				t.Error("it isn't taken for a key")
			}
		})
	}
}

func TestWhatIsNoPrivateKeySaysWhatItIs(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	elliptic8, err := x509.MarshalPKCS8PrivateKey(other)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs1 := x509.MarshalPKCS1PrivateKey(key)
	whole := block("RSA PRIVATE KEY", pkcs1)
	for _, test := range []struct {
		name, text, word string
		key              bool
	}{
		{"a public key", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey)), "this is the public key", true},
		{"a public key as openssl writes it", block("PUBLIC KEY", public), "this is the public key", true},
		{"a public key as base64", base64.StdEncoding.EncodeToString([]byte(block("PUBLIC KEY", public))), "this is the public key", true},
		{"a certificate", block("CERTIFICATE", pkcs1[:90]), "this is a certificate", true},
		{"a key of another kind", block("PRIVATE KEY", elliptic8), "no RSA key", true},
		{"a key as ssh-keygen makes it", block("OPENSSH PRIVATE KEY", []byte("openssh-key-v1")), "no RSA key", true},
		{"a key under a passphrase", block("ENCRYPTED PRIVATE KEY", pkcs1), "locked with a passphrase", true},
		{"the same in openssl's old form", strings.Replace(whole, "\n", "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n", 1), "locked with a passphrase", true},
		{"half a key", block("RSA PRIVATE KEY", pkcs1[:100]), "cut off", true},
		{"a key without its end", whole[:len(whole)/2], "cut off", true},
		{"its first line alone", "-----BEGIN RSA PRIVATE KEY-----", "cut off", true},
		{"no PEM", "secret material", "no key in PEM form", false},
		{"a path", "/run/secrets/github-app.pem", "no key in PEM form", false},
		{"nothing", " \n", "it is empty", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := githubaccess.ParseKey([]byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.word) {
				t.Errorf("got %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "MII")) {
				t.Errorf("it shows the key: %v", err)
			}
			if got := githubaccess.IsKey(test.text); got != test.key {
				t.Errorf("that it is taken for a key is %v", got)
			}
		})
	}
}
