package githubtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/aws-root-account/rootbot/ops/githubtest"
)

// config is what a client of the device flow is told, as for GITHUB_URL=gh.URL().
func config(gh *githubtest.Server, clientID string) *oauth2.Config {
	return &oauth2.Config{ClientID: clientID, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: gh.URL() + "login/device/code",
		TokenURL:      gh.URL() + "login/oauth/access_token",
		AuthStyle:     oauth2.AuthStyleInParams,
	}}
}

// post sends a form to github.com without a client library; header is name, value, name, value.
func post(t *testing.T, gh *githubtest.Server, path string, form url.Values, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", gh.URL()+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return do(t, r)
}

const accessToken, asJSON = "login/oauth/access_token", "application/json"

// begin begins the device flow and returns the form that its polls send.
func begin(t *testing.T, gh *githubtest.Server, clientID string) (poll url.Values, userCode string) {
	t.Helper()
	da, err := config(gh, clientID).DeviceAuth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{
		"client_id": {clientID}, "device_code": {da.DeviceCode}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
	}, da.UserCode
}

// polled is the error or, without one, "" that a poll gets.
func polled(t *testing.T, gh *githubtest.Server, form url.Values) (code string, body map[string]any) {
	t.Helper()
	resp, text := post(t, gh, accessToken, form, "Accept", asJSON)
	equal(t, resp.StatusCode, 200)
	body = decode(t, text)
	code, _ = body["error"].(string)
	return code, body
}

func TestTheDeviceFlowInRealTime(t *testing.T) {
	t.Run("authorized", func(t *testing.T) {
		t.Parallel()
		gh := start(t, githubtest.Options{DeviceInterval: time.Second})
		alice := gh.AddUser("alice")
		conf := config(gh, add(gh, githubtest.App{}).ClientID)
		da, err := conf.DeviceAuth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(da.Expiry); da.Interval != 1 || left > 15*time.Minute || left < 14*time.Minute ||
			da.VerificationURI != gh.URL()+"login/device" || len(da.DeviceCode) != 40 {
			t.Errorf("got %+v", da)
		}
		go func() {
			err := gh.Wait(context.Background(), func() bool { return gh.Count("POST /"+accessToken) == 1 })
			if err == nil {
				gh.Authorize(gh.Codes()[0].UserCode, "alice")
			}
		}()
		token, err := conf.DeviceAccessToken(t.Context(), da)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(token.Expiry); !strings.HasPrefix(token.AccessToken, "ghu_") || len(token.AccessToken) != 40 ||
			token.TokenType != "bearer" || !strings.HasPrefix(token.RefreshToken, "ghr_") || left > 8*time.Hour || left < 7*time.Hour {
			t.Errorf("got %+v", token)
		}
		me, _, err := client(t, gh, token.AccessToken).Users.Get(t.Context(), "")
		if err != nil || me.GetLogin() != "alice" || me.GetID() != alice {
			t.Errorf("got %v, %v", me, err)
		}
	})
	t.Run("denied", func(t *testing.T) {
		t.Parallel()
		gh := start(t, githubtest.Options{DeviceInterval: time.Second})
		conf := config(gh, add(gh, githubtest.App{}).ClientID)
		da, err := conf.DeviceAuth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := gh.Deny(da.UserCode); err != nil {
			t.Fatal(err)
		}
		_, err = conf.DeviceAccessToken(t.Context(), da)
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.ErrorCode != "access_denied" || e.Response.StatusCode != 200 {
			t.Errorf("got %v", err)
		}
	})
}

func TestADeviceCodeAsItTravels(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now, DeviceExpiry: 10 * time.Minute, DeviceInterval: 2 * time.Second})
	app := add(gh, githubtest.App{ClientID: "Iv23liABCDEFGHIJKLMN"})
	form := url.Values{"client_id": {app.ClientID}, "scope": {"ignored"}}

	resp, body := post(t, gh, "login/device/code", form)
	equal(t, resp.Header.Get("Content-Type"), "application/x-www-form-urlencoded; charset=utf-8")
	values, err := url.ParseQuery(body)
	if err != nil || len(values) != 5 || values.Get("expires_in") != "600" || values.Get("interval") != "2" ||
		values.Get("verification_uri") != gh.URL()+"login/device" || !regexp.MustCompile(`^[0-9a-f]{40}$`).MatchString(values.Get("device_code")) {
		t.Errorf("got %v, %v", values, err)
	}
	if !regexp.MustCompile(`^[A-Z]{4}-[A-Z]{4}$`).MatchString(values.Get("user_code")) {
		t.Errorf("user_code %q", values.Get("user_code"))
	}
	equal(t, gh.Codes(), []githubtest.Code{{UserCode: values.Get("user_code"), ClientID: app.ClientID, Expires: c.Now().Add(10 * time.Minute)}})

	resp, body = post(t, gh, "login/device/code", form, "Accept", "application/json; q=1, */*")
	equal(t, resp.Header.Get("Content-Type"), "application/json; charset=utf-8")
	if m := decode(t, body); m["expires_in"] != 600.0 || m["interval"] != 2.0 || m["user_code"] == values.Get("user_code") {
		t.Errorf("got %v", m)
	}
	resp, body = post(t, gh, "login/device/code?client_id="+app.ClientID, nil)
	if resp.StatusCode != 200 {
		t.Errorf("with a query: %d %s", resp.StatusCode, body)
	}
	r, err := http.NewRequestWithContext(t.Context(), "POST", gh.URL()+"login/device/code", strings.NewReader(`{"client_id":"`+app.ClientID+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", asJSON)
	if resp, body = do(t, r); resp.StatusCode != 200 {
		t.Errorf("with JSON: %d %s", resp.StatusCode, body)
	}
	equal(t, len(gh.Codes()), 4)
	equal(t, resp.Header.Get("X-RateLimit-Limit"), "")
}

func TestPolls(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	app := add(gh, githubtest.App{})
	form, userCode := begin(t, gh, app.ClientID)

	poll := func(after time.Duration, want string) map[string]any {
		t.Helper()
		c.Add(after)
		code, body := polled(t, gh, form)
		equal(t, code, want)
		return body
	}
	poll(0, "authorization_pending")
	poll(5*time.Second, "authorization_pending")
	if body := poll(4*time.Second, "slow_down"); body["interval"] != 10.0 {
		t.Errorf("got %v", body)
	}
	if body := poll(9*time.Second, "slow_down"); body["interval"] != 15.0 {
		t.Errorf("got %v", body)
	}
	poll(15*time.Second, "authorization_pending")
	if err := gh.Authorize(userCode, "alice"); err != nil {
		t.Fatal(err)
	}
	equal(t, gh.Codes(), []githubtest.Code{})
	poll(14*time.Second, "slow_down")
	body := poll(20*time.Second, "")
	if body["token_type"] != "bearer" || body["scope"] != "" || body["expires_in"] != 28800.0 || body["refresh_token_expires_in"] != 15897600.0 {
		t.Errorf("got %v", body)
	}
	poll(20*time.Second, "incorrect_device_code")
	equal(t, gh.UserTokens(), []githubtest.UserToken{{
		Text: body["access_token"].(string), Login: "alice", ClientID: app.ClientID, Made: c.Now().Add(-20 * time.Second),
		Expires: c.Now().Add(8*time.Hour - 20*time.Second),
	}})
}

func TestPollsThatGetNothing(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		prepare    func(*clock, *githubtest.Server, githubtest.App, string, url.Values)
	}{
		{"denied", "access_denied", func(_ *clock, gh *githubtest.Server, _ githubtest.App, userCode string, _ url.Values) {
			gh.Deny(userCode)
		}},
		{"late", "expired_token", func(c *clock, _ *githubtest.Server, _ githubtest.App, _ string, _ url.Values) {
			c.Add(15 * time.Minute)
		}},
		{"authorized and late", "expired_token", func(c *clock, gh *githubtest.Server, _ githubtest.App, userCode string, _ url.Values) {
			gh.Authorize(userCode, "alice")
			c.Add(15 * time.Minute)
		}},
		{"with another device code", "incorrect_device_code", func(_ *clock, _ *githubtest.Server, _ githubtest.App, _ string, form url.Values) {
			form.Set("device_code", strings.Repeat("0", 40))
		}},
		{"as another App", "incorrect_device_code", func(_ *clock, gh *githubtest.Server, _ githubtest.App, userCode string, form url.Values) {
			gh.Authorize(userCode, "alice")
			form.Set("client_id", add(gh, githubtest.App{}).ClientID)
		}},
		{"as no App", "incorrect_client_credentials", func(_ *clock, _ *githubtest.Server, app githubtest.App, _ string, form url.Values) {
			form.Set("client_id", "1001")
		}},
		{"with another grant", "unsupported_grant_type", func(_ *clock, _ *githubtest.Server, _ githubtest.App, _ string, form url.Values) {
			form.Set("grant_type", "device_code")
		}},
		{"after the flow was switched off", "device_flow_disabled", func(_ *clock, gh *githubtest.Server, app githubtest.App, userCode string, _ url.Values) {
			gh.Authorize(userCode, "alice")
			app.NoDeviceFlow = true
			gh.AddApp(app)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClock()
			gh := start(t, githubtest.Options{Now: c.Now})
			app := add(gh, githubtest.App{})
			form, userCode := begin(t, gh, app.ClientID)
			tc.prepare(c, gh, app, userCode, form)
			code, body := polled(t, gh, form)
			equal(t, code, tc.want)
			if body["error_description"] == "" || body["error_uri"] == "" || body["access_token"] != nil {
				t.Errorf("got %v", body)
			}
			equal(t, gh.UserTokens(), []githubtest.UserToken{})
			if code == "access_denied" || code == "expired_token" {
				again, _ := polled(t, gh, form)
				equal(t, again, code)
				equal(t, gh.Codes(), []githubtest.Code{})
			}
		})
	}
}

func TestDeviceCodesThatArentGiven(t *testing.T) {
	gh := start(t, githubtest.Options{})
	off := add(gh, githubtest.App{NoDeviceFlow: true})
	for clientID, want := range map[string]struct {
		status int
		code   string
	}{
		off.ClientID: {400, "device_flow_disabled"},
		"Iv23nobody": {404, "Not Found"},
		"":           {404, "Not Found"},
	} {
		_, err := config(gh, clientID).DeviceAuth(t.Context())
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) || e.Response.StatusCode != want.status || e.ErrorCode != want.code {
			t.Errorf("%q: got %v", clientID, err)
		}
	}
	equal(t, gh.Codes(), []githubtest.Code{})
}

func TestThePersonAtTheDevicePage(t *testing.T) {
	c := newClock()
	gh := start(t, githubtest.Options{Now: c.Now})
	app := add(gh, githubtest.App{})
	_, first := begin(t, gh, app.ClientID)
	if err := gh.Authorize(" "+strings.ToLower(first), "Alice"); err != nil {
		t.Error(err)
	}
	equal(t, gh.Users(), []string{"Alice", "reader"})
	for _, again := range []error{gh.Authorize(first, "bob"), gh.Deny(first)} {
		if again == nil || !strings.Contains(again.Error(), "decided") {
			t.Errorf("got %v", again)
		}
	}
	_, late := begin(t, gh, app.ClientID)
	c.Add(15*time.Minute - time.Second)
	equal(t, len(gh.Codes()), 1)
	c.Add(time.Second)
	equal(t, len(gh.Codes()), 0)
	if err := gh.Deny(late); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a code that never was")
		}
	}()
	gh.Authorize("BCDF-GHJK", "alice")
}

func TestTheSiteHasNoOtherPages(t *testing.T) {
	gh := loud(t, githubtest.Options{})
	app := add(gh, githubtest.App{})
	resp, body := raw(t, gh, "GET", "/login/device")
	if resp.StatusCode != 404 || body != "error=Not+Found" {
		t.Errorf("got %d %s", resp.StatusCode, body)
	}
	code, _ := polled(t, gh, url.Values{"client_id": {app.ClientID}, "code": {"123"}})
	equal(t, code, "bad_verification_code")
	equal(t, len(gh.Problems()), 2)
}

func TestIntervalsAreWholeSeconds(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("an interval of 1.5 seconds")
		}
	}()
	githubtest.New(githubtest.Options{DeviceInterval: 1500 * time.Millisecond})
}

func TestFaultsOfTheSite(t *testing.T) {
	gh := start(t, githubtest.Options{})
	app := add(gh, githubtest.App{})
	conf := config(gh, app.ClientID)
	for _, tc := range []struct {
		fault       githubtest.Fault
		status      int
		contentType string
		code        string
		body        string
	}{
		{githubtest.Fault{Status: 503}, 503, "text/html; charset=utf-8", "", "Service Unavailable"},
		{githubtest.Fault{Secondary: true, RetryAfter: time.Minute}, 429, "text/html; charset=utf-8", "", "secondary rate limit"},
		{githubtest.Fault{RateLimited: true}, 429, "text/html; charset=utf-8", "", "secondary rate limit"},
		{githubtest.Fault{Status: 422, Message: "No"}, 422, "application/json; charset=utf-8", "No", "No"},
		{githubtest.Fault{Status: 502, Body: `{"error":"x"}`}, 502, "application/json; charset=utf-8", "x", "x"},
	} {
		tc.fault.Times = 1
		gh.Fail("POST /login/device", tc.fault)
		_, err := conf.DeviceAuth(t.Context())
		var e *oauth2.RetrieveError
		if !errors.As(err, &e) {
			t.Fatalf("%+v: got %v", tc.fault, err)
		}
		if e.Response.StatusCode != tc.status || e.Response.Header.Get("Content-Type") != tc.contentType || e.ErrorCode != tc.code || !strings.Contains(string(e.Body), tc.body) {
			t.Errorf("%+v: got %d %v %s", tc.fault, e.Response.StatusCode, e.Response.Header, e.Body)
		}
		if tc.fault.RetryAfter > 0 && e.Response.Header.Get("Retry-After") != "60" {
			t.Errorf("Retry-After %q", e.Response.Header.Get("Retry-After"))
		}
	}
	gh.Fail("/login", githubtest.Fault{Cut: true, Times: 1})
	if _, err := conf.DeviceAuth(t.Context()); err == nil || !strings.Contains(err.Error(), io.ErrUnexpectedEOF.Error()) {
		t.Errorf("got %v", err)
	}
	equal(t, len(gh.Codes()), 1)
	if _, err := conf.DeviceAuth(t.Context()); err != nil {
		t.Error(err)
	}
}
