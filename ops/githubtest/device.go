package githubtest

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const (
	// penalty is what a poll that comes too early adds to the interval.
	penalty = 5 * time.Second
	// slack is how much earlier than the interval says a poll may come in: a client that polls by its clock can't know how
	// long the call before took to get here.
	slack = 500 * time.Millisecond

	docDevice = "https://docs.github.com/developers/apps/authorizing-oauth-apps#error-codes-for-the-device-flow"
)

// Code is what a person is to type in at github.com/login/device.
type Code struct {
	// UserCode is what the client shows: "WDJB-MJHT".
	UserCode string
	// ClientID is the App that asks.
	ClientID string
	// Expires is until when it can be typed in, by Options.Now.
	Expires time.Time
}

// device is one go at the device flow.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app#using-the-device-flow-to-generate-a-user-access-token
type device struct {
	Code
	text     string // the device_code
	interval time.Duration
	polled   time.Time // zero: never
	by       *user     // who authorized it
	denied   bool
	used     bool
}

// Codes lists the codes that wait for a person, oldest first: those that are neither authorized, nor denied, nor expired.
// Wait sees them come.
func (s *Server) Codes() []Code {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []Code{}
	for _, d := range s.devices {
		if d.by == nil && !d.denied && !s.expired(d) {
			list = append(list, d.Code)
		}
	}
	return list
}

// Authorize is a person typing in a code at github.com/login/device and letting the App act for them; a login that GitHub
// doesn't have is added, outside the organisation. An error: the code has expired, or was authorized or denied before. It
// panics where there never was such a code.
func (s *Server) Authorize(userCode, login string) error {
	return s.decide("Authorize", userCode, func(d *device) { d.by = s.ensureUser(login) })
}

// Deny is a person typing in a code and clicking Cancel. Errors and panics are Authorize's.
func (s *Server) Deny(userCode string) error {
	return s.decide("Deny", userCode, func(d *device) { d.denied = true })
}

func (s *Server) decide(method, userCode string, decision func(*device)) (err error) {
	s.edit(func() {
		for _, d := range s.devices {
			switch {
			case !strings.EqualFold(d.UserCode, strings.TrimSpace(userCode)):
				continue
			case d.by != nil || d.denied:
				err = fmt.Errorf("githubtest: the code %s has been decided on before", d.UserCode)
			case s.expired(d):
				err = fmt.Errorf("githubtest: the code %s has expired", d.UserCode)
			default:
				decision(d)
			}
			return
		}
		panic(fmt.Sprintf("githubtest: %s: no code %q", method, userCode))
	})
	return err
}

func (s *Server) expired(d *device) bool { return !s.options.Now().Before(d.Expires) }

// wholeSeconds is an option that travels as a number of seconds.
func wholeSeconds(name string, d, otherwise time.Duration) time.Duration {
	if d < 0 || d%time.Second != 0 {
		panic(fmt.Sprintf("githubtest: %s is %v, not whole seconds", name, d))
	}
	if d == 0 {
		return otherwise
	}
	return d
}

// newUserCode is eight letters of those that spell no word: RFC 8628 recommends them.
func newUserCode() string {
	const letters = "BCDFGHJKLMNPQRSTVWXZ"
	text := make([]byte, 0, 9)
	var b [1]byte
	for len(text) < 9 {
		if rand.Read(b[:]); int(b[0]) >= 256/len(letters)*len(letters) {
			continue
		}
		if len(text) == 4 {
			text = append(text, '-')
		}
		text = append(text, letters[int(b[0])%len(letters)])
	}
	return string(text)
}

// client is the App of a client ID; nil where there's none. The caller holds mu.
func (s *Server) client(id string) *App {
	for _, app := range s.apps {
		if app.ClientID == id {
			return app
		}
	}
	return nil
}

// createDevice begins the device flow. A client ID that isn't one is a 404 here, and an App that may not a 400: of the
// flow's errors these two alone aren't a 200.
func createDevice(s *Server, r *request) answer {
	app := s.client(r.parameter("client_id"))
	if app == nil {
		return r.siteError(http.StatusNotFound, "")
	}
	if app.NoDeviceFlow {
		a := r.flowDisabled()
		a.status = http.StatusBadRequest
		return a
	}
	var text [20]byte
	rand.Read(text[:])
	d := &device{
		Code: Code{UserCode: newUserCode(), ClientID: app.ClientID, Expires: s.options.Now().Add(s.options.DeviceExpiry)},
		text: hex.EncodeToString(text[:]), interval: s.options.DeviceInterval,
	}
	s.devices = append(s.devices, d)
	return r.form(http.StatusOK, map[string]any{
		"device_code":      d.text,
		"user_code":        d.UserCode,
		"verification_uri": s.url + "login/device",
		"expires_in":       int(s.options.DeviceExpiry.Seconds()),
		"interval":         int(d.interval.Seconds()),
	})
}

// poll exchanges a device code for a token, once a person has authorized it.
func (s *Server) poll(r *request, app *App) answer {
	if app.NoDeviceFlow {
		return r.flowDisabled()
	}
	var d *device
	for _, one := range s.devices {
		if one.text == r.parameter("device_code") && one.ClientID == app.ClientID && !one.used {
			d = one
		}
	}
	if d == nil {
		return r.oauthError("incorrect_device_code", "The device_code provided is not valid.", docDevice)
	}
	if s.expired(d) {
		return r.oauthError("expired_token", "The `device_code` has expired.", docDevice)
	}
	if d.denied {
		return r.oauthError("access_denied", "The authorization request was denied.", docDevice)
	}
	now := s.options.Now()
	early := !d.polled.IsZero() && now.Sub(d.polled) < d.interval-slack
	d.polled = now
	if early {
		d.interval += penalty
		return r.oauthError("slow_down", "Too many requests have been made in the same timeframe.", "https://docs.github.com", "interval", int(d.interval.Seconds()))
	}
	if d.by == nil {
		return r.oauthError("authorization_pending", "The authorization request is still pending.", docDevice)
	}
	d.used = true
	return r.form(http.StatusOK, s.issue(app, d.by, s.restricted(r, app)).json())
}

func (r *request) flowDisabled() answer {
	return r.oauthError("device_flow_disabled", "Device Flow must be explicitly enabled for this App", "https://docs.github.com")
}

// oauthError is an error of OAuth, which GitHub sends with status 200; more is names and values, in turns.
func (r *request) oauthError(code, description, uri string, more ...any) answer {
	fields := map[string]any{"error": code, "error_description": description, "error_uri": uri}
	for i := 0; i < len(more); i += 2 {
		fields[more[i].(string)] = more[i+1]
	}
	return r.form(http.StatusOK, fields)
}
