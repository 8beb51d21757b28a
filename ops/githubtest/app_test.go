package githubtest_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v62/github"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// privateKey is one for all, since making one takes a while.
var privateKey = sync.OnceValue(func() string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
})

// add is AddApp for an App whose key doesn't matter.
func add(gh *githubtest.Server, app githubtest.App) githubtest.App {
	app.PrivateKey = privateKey()
	return gh.AddApp(app)
}

// sign makes a JSON web token the way an App does, with the private key that GitHub hands out.
func sign(t *testing.T, privateKey, algorithm string, claims map[string]any) string {
	t.Helper()
	block, _ := pem.Decode([]byte(privateKey))
	if block == nil || block.Type != "RSA PRIVATE KEY" {
		t.Fatalf("not a private key: %q", privateKey)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	text := part(map[string]string{"alg": algorithm, "typ": "JWT"}) + "." + part(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func claims(issuer any, now time.Time) map[string]any {
	return map[string]any{"iss": issuer, "iat": now.Add(-time.Minute).Unix(), "exp": now.Add(10 * time.Minute).Unix()}
}

func TestAnAppGetsATokenThatLivesAnHour(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	gh.AddTeam("admins")
	gh.AddMember("admins", "alice")
	app := gh.AddApp(githubtest.App{Slug: "rootbot"})
	ctx := t.Context()
	asApp := client(t, gh, sign(t, app.PrivateKey, "RS256", claims(app.ID, c.Now())))

	self, _, err := asApp.Apps.Get(ctx, "")
	if err != nil || self.GetID() != app.ID || self.GetSlug() != "rootbot" || self.GetPermissions().GetMembers() != "read" {
		t.Errorf("got %v, %v", self, err)
	}
	token, resp, err := asApp.Apps.CreateInstallationToken(ctx, app.InstallationID, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 201 || !strings.HasPrefix(token.GetToken(), "ghs_") || len(token.GetToken()) != 40 ||
		!token.GetExpiresAt().Time.Equal(c.Now().Add(time.Hour)) || token.GetPermissions().GetMembers() != "read" {
		t.Errorf("got %d %v", resp.StatusCode, token)
	}

	installed := client(t, gh, token.GetToken())
	m, _, err := installed.Teams.GetTeamMembershipBySlug(ctx, org, "admins", "alice")
	if err != nil || m.GetState() != "active" {
		t.Errorf("got %v, %v", m, err)
	}
	_, _, err = installed.Users.Get(ctx, "")
	refused(t, err, http.StatusForbidden, "Resource not accessible by integration")
	_, _, err = installed.Apps.Get(ctx, "")
	refused(t, err, http.StatusUnauthorized, "A JSON web token could not be decoded")
	_, _, err = asApp.Teams.ListTeams(ctx, org, nil)
	refused(t, err, http.StatusUnauthorized, "Bad credentials")
	_, _, err = asApp.Apps.CreateInstallationToken(ctx, app.InstallationID+1, nil)
	refused(t, err, http.StatusNotFound, "Not Found")
	for _, call := range gh.Calls()[:6] {
		equal(t, call.By, "rootbot[bot]")
	}

	c.Add(time.Hour - time.Second)
	if _, _, err = installed.Users.Get(ctx, "alice"); err != nil {
		t.Errorf("a second before the hour: %v", err)
	}
	c.Add(time.Second)
	_, _, err = installed.Users.Get(ctx, "alice")
	refused(t, err, http.StatusUnauthorized, "Bad credentials")
}

func TestJSONWebTokens(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	app := gh.AddApp(githubtest.App{ID: 4711})
	other := gh.AddApp(githubtest.App{})
	now := c.Now()
	with := func(key string, value any) map[string]any {
		m := claims("4711", now)
		if m[key] = value; value == nil {
			delete(m, key)
		}
		return m
	}
	const (
		undecodable = "A JSON web token could not be decoded"
		issued      = "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
		expired     = "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires"
	)
	good := sign(t, app.PrivateKey, "RS256", with("iss", "4711"))
	for _, tc := range []struct {
		name, token string
		status      int
		message     string
	}{
		{"signed for the App", good, 200, ""},
		{"issued by number", sign(t, app.PrivateKey, "RS256", with("iss", 4711)), 200, ""},
		{"issued by client ID", sign(t, app.PrivateKey, "RS256", with("iss", app.ClientID)), 200, ""},
		{"issued by nobody", sign(t, app.PrivateKey, "RS256", with("iss", nil)), 401, "Missing 'issuer' claim ('iss') in assertion"},
		{"issued by an unknown App", sign(t, app.PrivateKey, "RS256", with("iss", "1")), 404, "Integration not found"},
		{"signed with another App's key", sign(t, other.PrivateKey, "RS256", with("iss", "4711")), 401, undecodable},
		{"another algorithm", sign(t, app.PrivateKey, "HS256", with("iss", "4711")), 401, undecodable},
		{"cut short", good[:len(good)-4], 401, undecodable},
		{"three words", "a.b.c", 401, undecodable},
		{"issued in the future", sign(t, app.PrivateKey, "RS256", with("iat", now.Unix()+5)), 401, issued},
		{"issued at a word", sign(t, app.PrivateKey, "RS256", with("iat", "now")), 401, issued},
		{"issued at a fraction", sign(t, app.PrivateKey, "RS256", with("iat", 1.5)), 401, issued},
		{"expired", sign(t, app.PrivateKey, "RS256", with("exp", now.Unix())), 401, expired},
		{"never expires", sign(t, app.PrivateKey, "RS256", with("exp", nil)), 401, expired},
		{"good for too long", sign(t, app.PrivateKey, "RS256", with("exp", now.Unix()+601)), 401, "'Expiration time' claim ('exp') is too far in the future"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := client(t, gh, tc.token).Apps.Get(t.Context(), "")
			if tc.status == 200 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, tc.status, tc.message)
		})
	}
}

func TestPermissionsOfAnApp(t *testing.T) {
	ctx := t.Context()
	install := func(t *testing.T, gh *githubtest.Server, app githubtest.App, opts *github.InstallationTokenOptions) (*github.Client, error) {
		now := time.Now().Add(-time.Second)
		token, _, err := client(t, gh, sign(t, app.PrivateKey, "RS256", claims(app.ID, now))).Apps.CreateInstallationToken(ctx, app.InstallationID, opts)
		return client(t, gh, token.GetToken()), err
	}
	denied := func(t *testing.T, c *github.Client) {
		t.Helper()
		const message = "Resource not accessible by integration"
		_, _, err := c.Teams.ListTeams(ctx, org, nil)
		refused(t, err, http.StatusForbidden, message)
		_, _, err = c.Teams.GetTeamBySlug(ctx, org, "admins")
		refused(t, err, http.StatusForbidden, message)
		_, _, err = c.Teams.ListTeamMembersBySlug(ctx, org, "admins", nil)
		refused(t, err, http.StatusForbidden, message)
		_, _, err = c.Teams.GetTeamMembershipBySlug(ctx, org, "admins", "alice")
		refused(t, err, http.StatusForbidden, message)
		_, _, err = c.Organizations.GetOrgMembership(ctx, "alice", org)
		refused(t, err, http.StatusForbidden, message)
		_, _, err = c.Organizations.ListMembers(ctx, org, nil)
		refused(t, err, http.StatusForbidden, message)
		if _, _, err = c.Organizations.Get(ctx, org); err != nil {
			t.Error(err)
		}
	}
	t.Run("without members it reads no teams", func(t *testing.T) {
		gh := family(t)
		c, err := install(t, gh, gh.AddApp(githubtest.App{Permissions: map[string]string{"metadata": "read"}}), nil)
		if err != nil {
			t.Fatal(err)
		}
		denied(t, c)
	})
	t.Run("they can be taken away", func(t *testing.T) {
		gh := family(t)
		app := gh.AddApp(githubtest.App{})
		c, err := install(t, gh, app, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Teams.ListTeams(ctx, org, nil); err != nil {
			t.Fatal(err)
		}
		app.Permissions = map[string]string{}
		gh.AddApp(app)
		denied(t, c)
	})
	t.Run("a token may have fewer", func(t *testing.T) {
		gh := family(t)
		app := gh.AddApp(githubtest.App{Permissions: map[string]string{"members": "write", "metadata": "read"}})
		c, err := install(t, gh, app, &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Metadata: new("read")}})
		if err != nil {
			t.Fatal(err)
		}
		denied(t, c)
		c, err = install(t, gh, app, &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Members: new("read")}})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Teams.ListTeams(ctx, org, nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("but no more", func(t *testing.T) {
		gh := family(t)
		_, err := install(t, gh, gh.AddApp(githubtest.App{}), &github.InstallationTokenOptions{Permissions: &github.InstallationPermissions{Members: new("write")}})
		refused(t, err, http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
	})
	t.Run("and not for repositories that it doesn't have", func(t *testing.T) {
		gh := start(t, githubtest.Options{})
		_, err := install(t, gh, gh.AddApp(githubtest.App{}), &github.InstallationTokenOptions{Repositories: []string{"infra"}})
		refused(t, err, http.StatusUnprocessableEntity, "There is at least one repository that does not exist or is not accessible to the parent installation.")
	})
}

func TestAnAppMayBringItsOwnKey(t *testing.T) {
	gh := start(t, githubtest.Options{})
	made := gh.AddApp(githubtest.App{})
	block, _ := pem.Decode([]byte(made.PrivateKey))
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, app := range map[string]githubtest.App{
		"public":        {PublicKey: made.PublicKey},
		"public PKCS#1": {PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)}))},
		"PKCS#1":        {PrivateKey: made.PrivateKey},
		"PKCS#8":        {PrivateKey: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))},
	} {
		t.Run(name, func(t *testing.T) {
			app := gh.AddApp(app)
			if _, _, err := client(t, gh, sign(t, made.PrivateKey, "RS256", claims(app.ID, time.Now().Add(-time.Second)))).Apps.Get(t.Context(), ""); err != nil {
				t.Error(err)
			}
		})
	}
}
