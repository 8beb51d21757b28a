package githubtest

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	undecodable = "A JSON web token could not be decoded"
	unknownApp  = "Integration not found" // a 404, where everything else about a JSON web token is a 401
)

// App is a GitHub App, registered by the organisation and installed in it.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/about-authentication-with-a-github-app
type App struct {
	// ID and InstallationID are numbered by AddApp where they are 0.
	ID, InstallationID int64
	// Slug is the App's name in addresses; its bot is "<slug>[bot]". Empty: "app-<ID>".
	Slug string
	// ClientID is what the device flow knows the App by, and may stand for the ID as a JSON web token's issuer. Empty:
	// AddApp makes one, "Iv23…".
	ClientID string
	// NoDeviceFlow: "Enable Device Flow" isn't ticked in the App's settings (as it isn't in a new App's on GitHub).
	NoDeviceFlow bool
	// PrivateKey is RSA, PEM, PKCS #1 (as GitHub hands it out) or PKCS #8. Empty: AddApp makes one, unless there's a
	// PublicKey: then nobody but the test knows it.
	PrivateKey string
	// PublicKey is RSA, PEM, PKIX or PKCS #1: what signatures are checked with. Empty: the private key's.
	PublicKey string
	// Permissions are what the organisation granted: {"members": "read"}. nil is exactly that one; an empty map is none.
	// With one for repositories comes "metadata": "read".
	Permissions map[string]string
	// Repositories are those of the organisation's that it's installed in, "name" or "owner/name". nil: all of them, those
	// to come included; an empty list is none.
	Repositories []string

	key *rsa.PublicKey
	bot *user // what it acts as, from when it first does
}

// AddApp registers and installs an App and returns it with everything filled in, its PrivateKey above all. An App with
// an ID that is there already takes its place: so are permissions taken away from tokens that are out. It panics on a
// key that can't be read. Making a key takes a fraction of a second.
func (s *Server) AddApp(app App) App {
	n := 0
	s.edit(func() { n = len(s.apps) })
	if err := app.readKeys(n); err != nil {
		panic(fmt.Sprintf("githubtest: AddApp: %v", err))
	}
	if app.Permissions == nil {
		app.Permissions = map[string]string{"members": "read"}
	}
	app.Permissions, app.Repositories = maps.Clone(app.Permissions), slices.Clone(app.Repositories)
	if anyOf(app.Permissions) {
		app.Permissions["metadata"] = cmp.Or(app.Permissions["metadata"], "read")
	}
	s.edit(func() {
		if app.ID == 0 {
			app.ID = s.nextID()
		}
		if app.InstallationID == 0 {
			app.InstallationID = s.nextID()
		}
		if app.Slug == "" {
			app.Slug = fmt.Sprintf("app-%d", app.ID)
		}
		if app.ClientID == "" {
			app.ClientID = fmt.Sprintf("Iv23li%014d", app.ID)
		}
		kept := app
		kept.bot = nil
		if before := s.apps[app.ID]; before != nil && before.Slug == app.Slug {
			kept.bot = before.bot
		}
		s.apps[app.ID] = &kept
	})
	app.Permissions, app.Repositories = maps.Clone(app.Permissions), slices.Clone(app.Repositories)
	return app
}

// keys are those of Apps that bring none: the n-th App of each server has the n-th. To
// make one takes longer than all else that a server needs.
var keys struct {
	mu   sync.Mutex
	made []string
}

func privateKey(n int) (string, error) {
	keys.mu.Lock()
	defer keys.mu.Unlock()
	for len(keys.made) <= n {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return "", err
		}
		keys.made = append(keys.made, string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	}
	return keys.made[n], nil
}

// readKeys reads the keys that the n-th App of a server brings, or gives it some.
func (a *App) readKeys(n int) error {
	if a.PrivateKey == "" && a.PublicKey == "" {
		made, err := privateKey(n)
		if err != nil {
			return err
		}
		a.PrivateKey = made
	}
	if a.PublicKey == "" {
		block, _ := pem.Decode([]byte(a.PrivateKey))
		if block == nil {
			return fmt.Errorf("the private key isn't PEM")
		}
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			other, _ := x509.ParsePKCS8PrivateKey(block.Bytes)
			ok := false
			if private, ok = other.(*rsa.PrivateKey); !ok {
				return fmt.Errorf("read the private key: %w", err)
			}
		}
		der, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
		if err != nil {
			return err
		}
		a.PublicKey = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	block, _ := pem.Decode([]byte(a.PublicKey))
	if block == nil {
		return fmt.Errorf("the public key isn't PEM")
	}
	if key, err := x509.ParsePKCS1PublicKey(block.Bytes); err == nil {
		a.key = key
		return nil
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return fmt.Errorf("read the public key: %w", err)
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("the public key is %T, not RSA", key)
	}
	a.key = public
	return nil
}

// verify is the App that signed a JSON web token, or what GitHub says with its 401. The caller holds mu.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
func (s *Server) verify(text string) (*App, string) {
	parts := strings.Split(text, ".")
	head, payload, signature := parts[0], parts[1], parts[2]
	var header struct {
		Algorithm string `json:"alg"`
	}
	var claims struct {
		Issuer    any `json:"iss"`
		IssuedAt  any `json:"iat"`
		ExpiresAt any `json:"exp"`
	}
	if decodePart(head, &header) != nil || decodePart(payload, &claims) != nil || header.Algorithm != "RS256" {
		return nil, undecodable
	}
	if claims.Issuer == nil {
		return nil, "Missing 'issuer' claim ('iss') in assertion"
	}
	app := s.appOf(fmt.Sprint(claims.Issuer))
	if app == nil {
		return nil, unknownApp
	}
	sum := sha256.Sum256([]byte(head + "." + payload))
	mac, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil || rsa.VerifyPKCS1v15(app.key, crypto.SHA256, sum[:], mac) != nil {
		return nil, undecodable
	}
	now := s.options.Now()
	issued, ok := seconds(claims.IssuedAt)
	if !ok || issued.After(now) {
		return nil, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
	}
	expires, ok := seconds(claims.ExpiresAt)
	if !ok || !expires.After(now) {
		return nil, "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	}
	if expires.After(now.Add(10 * time.Minute)) {
		return nil, "'Expiration time' claim ('exp') is too far in the future"
	}
	return app, ""
}

func (s *Server) appOf(issuer string) *App {
	for _, app := range s.apps {
		if issuer == strconv.FormatInt(app.ID, 10) || issuer == app.ClientID {
			return app
		}
	}
	return nil
}

func decodePart(part string, into any) error {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(into)
}

func seconds(claim any) (time.Time, bool) {
	n, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	unix, err := n.Int64()
	return time.Unix(unix, 0), err == nil
}

func getApp(s *Server, r *request) answer {
	app := r.who.app
	return answer{status: http.StatusOK, body: map[string]any{
		"id":                  app.ID,
		"client_id":           app.ClientID,
		"slug":                app.Slug,
		"node_id":             node("App", app.ID),
		"name":                app.Slug,
		"owner":               s.org.owner(s),
		"description":         "",
		"external_url":        "https://github.com/" + s.org.login,
		"html_url":            "https://github.com/apps/" + app.Slug,
		"created_at":          stamp(s.org.created),
		"updated_at":          stamp(s.org.created),
		"permissions":         app.Permissions,
		"events":              []string{},
		"installations_count": 1,
	}}
}

func createInstallationToken(s *Server, r *request) answer {
	app := r.who.app
	if r.parameters["installation"] != strconv.FormatInt(app.InstallationID, 10) {
		return r.notFound()
	}
	var asked struct {
		Permissions   map[string]string `json:"permissions"`
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
	}
	if err := json.Unmarshal(r.content, &asked); err != nil && len(bytes.TrimSpace(r.content)) > 0 {
		return refuse(http.StatusBadRequest, "Problems parsing JSON", r.route.doc)
	}
	narrowed, ok := s.narrow(app, asked.Repositories, asked.RepositoryIDs)
	if !ok {
		return refuse(http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.", r.route.doc)
	}
	for name, level := range asked.Permissions {
		if granted := app.Permissions[name]; granted != level && !(granted == "write" && level == "read") && granted != "admin" {
			return refuse(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.", r.route.doc)
		}
	}
	t := &token{app: app, permissions: asked.Permissions, repositories: namesOf(narrowed), expires: s.options.Now().Add(time.Hour).Truncate(time.Second)}
	text := "ghs_" + rand.Text() + rand.Text()[:10]
	s.tokens[text] = t
	granted := asked.Permissions
	if granted == nil {
		granted = app.Permissions
	}
	body := map[string]any{"token": text, "expires_at": stamp(t.expires), "permissions": granted, "repository_selection": "all"}
	if app.Repositories != nil || narrowed != nil {
		body["repository_selection"] = "selected"
	}
	if narrowed != nil {
		list := []map[string]any{}
		for _, in := range narrowed {
			list = append(list, in.simple(s))
		}
		body["repositories"] = list
	}
	return answer{status: http.StatusCreated, body: body}
}
