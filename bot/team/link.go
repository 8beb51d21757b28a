package team

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-github/v62/github"
	"golang.org/x/oauth2"

	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/githubaccess"
)

// Device is GitHub's device flow, by which somebody proves that a GitHub account
// is theirs.
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-user-access-token-for-a-github-app#using-the-device-flow-to-generate-a-user-access-token
type Device struct {
	ClientID string       // of the GitHub App; no secret
	URL      string       // GitHub's own address, "https://github.com/"; ends in a slash
	HTTP     *http.Client // nil: http.DefaultClient
}

// Account is a GitHub account that somebody has proved to be theirs.
type Account struct {
	ID    int64 // stays, whatever the login becomes
	Login string
}

// Code is what somebody has to type at GitHub.
type Code struct {
	User    string    // what to type: "WDJB-MJHT"
	Where   string    // address of the page
	Expires time.Time // it can't be typed any more
	device  Device
	flow    *oauth2.Config
	granted *oauth2.DeviceAuthResponse
}

// HowDevice is how a link was proved.
const HowDevice = "device flow"

// json has GitHub answer in JSON: it answers as a form otherwise.
type json struct{ next http.RoundTripper }

func (j json) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	return j.next.RoundTrip(r)
}

func (d Device) client() *http.Client {
	client := http.Client{Timeout: 20 * time.Second}
	if d.HTTP != nil {
		client = *d.HTTP
	}
	if client.Transport == nil {
		client.Transport = http.DefaultTransport
	}
	client.Transport = json{client.Transport}
	return &client
}

// Begin asks GitHub for a code.
func (d Device) Begin(ctx context.Context) (*Code, error) {
	flow := &oauth2.Config{ClientID: d.ClientID, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: d.URL + "login/device/code", TokenURL: d.URL + "login/oauth/access_token", AuthStyle: oauth2.AuthStyleInParams,
	}}
	granted, err := askForCode(context.WithValue(ctx, oauth2.HTTPClient, d.client()), flow)
	if err == nil && (granted == nil || granted.DeviceCode == "" || granted.UserCode == "") {
		// GitHub says some of what is wrong with status 200.
		err = errors.New("GitHub gave no code: is the device flow enabled for the app, and github.client_id its client ID?")
	}
	if err != nil {
		return nil, unlinked("GitHub gave no code to type.", "Try again in a minute, and tell whoever runs the bot if it goes on.", err)
	}
	return &Code{User: granted.UserCode, Where: granted.VerificationURI, Expires: granted.Expiry, device: d, flow: flow, granted: granted}, nil
}

// askForCode is DeviceAuth, which panics where the answer is "null".
func askForCode(ctx context.Context, flow *oauth2.Config) (granted *oauth2.DeviceAuthResponse, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return flow.DeviceAuth(ctx)
}

func unlinked(what, next string, err error) error {
	return &ops.Error{Kind: ops.Unavailable, What: what, Next: next, Err: err}
}

// Proof waits until the code was typed at GitHub and returns whose account it
// was typed in. The token that GitHub gives for that is used for this one
// question and forgotten.
func (c *Code) Proof(ctx context.Context, client *github.Client) (Account, error) {
	asking := context.WithValue(ctx, oauth2.HTTPClient, c.device.client())
	var token *oauth2.Token
	for {
		var err error
		token, err = c.flow.DeviceAccessToken(asking, c.granted)
		if err == nil {
			break
		}
		answer, said := errors.AsType[*oauth2.RetrieveError](err)
		switch {
		case ctx.Err() != nil:
			return Account{}, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded) && !time.Now().Before(c.Expires), said && answer.ErrorCode == "expired_token":
			return Account{}, refused("Nobody typed the code at GitHub in time.", "", "Type `/rootbot link` for a new one.")
		case said && answer.ErrorCode == "access_denied":
			return Account{}, refused("It was cancelled at GitHub.", "", "")
		case said && answer.ErrorCode != "":
			return Account{}, unlinked("GitHub didn't say whose account it is.", "Tell whoever runs the bot.", fmt.Errorf("GitHub's device flow: %s", answer.ErrorCode))
		}
		// A cut connection, a GitHub in trouble: the code is still good. Ask more
		// slowly, as GitHub would tell a client that asked too often.
		c.granted.Interval = max(c.granted.Interval, 1) + 1
	}
	transport := c.device.client().Transport
	theirs, err := githubaccess.New(client.BaseURL.String(), githubaccess.Token{Value: token.AccessToken, Next: transport})
	if err != nil {
		return Account{}, unlinked("GitHub didn't say whose account it is.", "Tell the operators of the bot.", err)
	}
	user, _, err := theirs.Users.Get(ctx, "")
	if err != nil || user.GetID() == 0 || !githubaccess.IsLogin(user.GetLogin()) {
		return Account{}, unlinked("GitHub didn't say whose account it is.", "Try again in a minute.", err)
	}
	return Account{ID: user.GetID(), Login: user.GetLogin()}, nil
}

// UnconfirmedError says that a person has proved to be a GitHub account which is a
// member of the team, and that their link doesn't count yet.
type UnconfirmedError struct {
	Link  store.Link
	Login string // as it is now
}

func (e *UnconfirmedError) Error() string {
	return fmt.Sprintf("the link of %s to the GitHub account %s doesn't count yet", e.Link.User, e.Login)
}

// linked is who somebody has proved to be. The account is remembered by its
// number, and its login asked of GitHub, for logins can be renamed. A link that
// doesn't count yet is as good as one that does while it gives no rights: to the
// account of a member it is a refusal with an *UnconfirmedError.
// https://docs.github.com/en/rest/users/users#get-a-user-using-their-id
func (t *Team) linked(ctx context.Context, person Person) (Identity, error) {
	link, err := t.LinkOf(ctx, person)
	if errors.Is(err, store.ErrNotFound) {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, &ops.Error{Kind: ops.Unavailable, Err: err, What: "The bot can't read its database, so it can't tell who you are.", Next: "Try again in a minute."}
	}
	account, _, err := t.GitHub.Users.GetByID(ctx, link.GitHub)
	switch {
	case githubaccess.NotFound(err):
		return Identity{}, refused(fmt.Sprintf("The GitHub account that you linked (%s) is gone, so I can't tell who you are.", link.Login), fmt.Sprintf("has linked the GitHub account %s, which is gone.", link.Login), "Type `/rootbot unlink`, then `/rootbot link`.")
	case err != nil:
		return Identity{}, t.unknown(err, link.Login)
	case account.GetID() != link.GitHub || !githubaccess.IsLogin(account.GetLogin()):
		return Identity{}, t.unknown(fmt.Errorf("GitHub answered with another account than %d", link.GitHub), link.Login)
	}
	identity := Identity{Login: account.GetLogin(), How: fmt.Sprintf("by the link that you proved on %s", link.At.Format("2 Jan 2006"))}
	if link.Counts() {
		return identity, nil
	}
	switch err := t.Member(ctx, identity.Login); {
	case err == nil:
		return Identity{}, t.Unconfirmed(link, identity.Login)
	case ops.KindOf(err) != ops.Refused:
		return Identity{}, err
	}
	identity.Unconfirmed = &link
	return identity, nil
}

// Unconfirmed refuses a person whose link to the account of a member doesn't count yet.
func (t *Team) Unconfirmed(link store.Link, login string) error {
	return &ops.Error{
		Kind: ops.Refused, Err: &UnconfirmedError{link, login},
		What: fmt.Sprintf("You have proved that the GitHub account %s is yours. It is a member of the team %s, so your link doesn't count before another member confirms it.", login, t.Name()),
		Of:   "has a link to GitHub that no other member has confirmed.",
		Next: "Ask in " + t.Channel + " for that.",
	}
}

// LinkOf is the link that a person made under any of their IDs; if there is none,
// an error that is store.ErrNotFound.
func (t *Team) LinkOf(ctx context.Context, person Person) (store.Link, error) {
	if t.Links == nil {
		return store.Link{}, store.ErrNotFound
	}
	for _, id := range person.IDs {
		link, err := t.Links.LinkOf(ctx, t.Workspace, id)
		if !errors.Is(err, store.ErrNotFound) {
			return link, err
		}
	}
	return store.Link{}, store.ErrNotFound
}

// MayLink returns nil if nothing that is known of a person and of an account
// speaks against tying them to each other. What does is an *ops.Error; owner is
// the person who has the account by the settings, if it is one of those.
func (t *Team) MayLink(ctx context.Context, workspace, user string, account Account) (owner string, err error) {
	person, err := t.Person(ctx, workspace, user)
	if err != nil {
		return "", err
	}
	switch login, err := t.Listed(person); {
	case err != nil:
		return "", err
	case login != "":
		return "", refused(fmt.Sprintf("The bot's settings say that you are %s on GitHub, and they win over a link.", login), "", "Ask in "+t.Channel+" to have the bot's identities corrected.")
	}
	if owner := t.named(account.Login); owner != "" {
		return owner, refused(fmt.Sprintf("The bot's settings say that the GitHub login %s is somebody else.", account.Login), "", "Ask in "+t.Channel+" to have the bot's identities corrected.")
	}
	known, err := t.external(ctx, person)
	switch {
	case err != nil:
		return "", err
	case known.Login != "" && known.Login != account.Login:
		return "", refused(fmt.Sprintf("The organisation's single sign-on says that you are %s on GitHub, and the code was typed in as %s.", known.Login, account.Login), "", "Type `/rootbot link` again, and the code in your own account.")
	}
	return "", nil
}
