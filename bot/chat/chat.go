// Package chat is the desk's Slack face: it takes commands and clicks over
// Socket Mode, and draws and delivers the desk's messages. Nothing is ever read
// back out of a message; a button carries the request's ID and the plan's
// digest, and everything else is in the store.
package chat

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws-root-account/rootbot/bot"
	"github.com/aws-root-account/rootbot/bot/meter"
	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
	"github.com/aws-root-account/rootbot/ops"
	"github.com/slack-go/slack"
	"golang.org/x/sync/singleflight"
)

// Settings say which workspace to be in and where to post.
type Settings struct {
	AppToken   string // xapp-…
	BotToken   string // xoxb-…
	APIURL     string // ends in a slash
	LogChannel string // a channel's name, with or without #, or its ID
}

// Chat is a connection to a workspace.
type Chat struct {
	desk     *bot.Desk
	store    *store.Store
	log      *slog.Logger
	api      *slack.Client
	http     *http.Client
	settings Settings

	workspace   string            // team ID
	enterprise  string            // ID of the Grid that the workspace is part of; empty: none
	self        string            // the bot's user ID
	botID       string            // its ID as a bot
	home        string            // the workspace's address, ends in a slash
	channel     string            // ID of the log channel
	channelName string            // with #
	places      map[string]string // ID of the channel where an operation is asked for, by its name
	channels    channels
	sockets     sockets
	intake      intake
	holds       *holds
	paces       paces
	leads       atomic.Bool  // this process delivers
	leadsTill   atomic.Int64 // by the clock, in nanoseconds since 1970; nothing is posted later
	unreachable unreachable
	linking     linking
	opening     singleflight.Group // of who may have a form opened
	storms      storms
	answering   chan struct{} // as many tokens as answers may be under way
	delivering  sync.WaitGroup

	mayWithin, openWithin, toldWithin atomic.Int64 // the constants of these names, but for tests
}

// New returns a Chat that isn't connected yet.
func New(desk *bot.Desk, settings Settings, log *slog.Logger) *Chat {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// slack-go would open a new connection for most posts.
	transport.MaxIdleConnsPerHost = mostPrivate + mostPublic
	c := &Chat{
		desk: desk, store: desk.Store, log: log, settings: settings,
		sockets:     newSockets(),
		intake:      newIntake(),
		storms:      newStorms(),
		answering:   make(chan struct{}, answers),
		paces:       paces{byChannel: map[string]*pace{}},
		unreachable: unreachable{why: map[string]string{}},
	}
	c.holds = &holds{next: meter.Transport(desk.Meter, "slack", meter.SlackMethod, transport), keep: c.keepHold}
	c.http = &http.Client{Transport: c.holds, Timeout: 20 * time.Second}
	c.api = slack.New(settings.BotToken, slack.OptionAppLevelToken(settings.AppToken),
		slack.OptionAPIURL(settings.APIURL), slack.OptionHTTPClient(c.http))
	c.leadsTill.Store(math.MaxInt64)
	c.mayWithin.Store(int64(mayWithin))
	c.openWithin.Store(int64(openWithin))
	c.toldWithin.Store(int64(toldWithin))
	return c
}

// explain says in words what no waiting mends; nil if err isn't such a thing.
func explain(err error, token string) error {
	answer, ok := errors.AsType[slack.SlackErrorResponse](err)
	code := ""
	if ok {
		code = answer.Err
	} else if err != nil && fatal[err.Error()] != "" {
		code = err.Error()
	}
	words := fatal[code]
	if words == "" {
		return nil
	}
	if answer.Needed != "" {
		words += " " + answer.Needed
	}
	return fmt.Errorf("%s (%s): check %s", words, code, token)
}

// Home is where the bot is.
type Home struct {
	Workspace string // ID
	Channel   string // the log channel, as people know it: "#aws-root-account"
}

// Open finds out where the bot is. An error is for people: it says what to do.
func (c *Chat) Open(ctx context.Context) (Home, error) {
	name, err := c.locate(ctx)
	if err != nil {
		return Home{}, err
	}
	if err := c.findChannels(ctx, name); err != nil {
		return Home{}, err
	}
	channel := c.channels.named(c.settings.LogChannel)
	c.channel, c.channelName = channel.ID, "#"+channel.Title
	c.places = map[string]string{}
	for _, o := range c.desk.Operations {
		if place := c.desk.TermsOf(o.Name).Place; place != "" {
			c.places[o.Name] = c.channels.named(place).ID
		}
	}
	return Home{Workspace: c.workspace, Channel: c.channelName}, nil
}

// operationOf is the card of a request's operation; of one that isn't offered
// any more only the name is left.
func (c *Chat) operationOf(r request.Request) ops.Operation {
	if o, ok := c.desk.Operation(r.Operation); ok {
		return o
	}
	return ops.Operation{Name: r.Operation, Command: r.Operation}
}

// channelOf is the channel where an operation's card stands.
func (c *Chat) channelOf(operation string) string {
	if id := c.places[operation]; id != "" {
		return id
	}
	return c.channel
}

// link is the address of a message.
func (c *Chat) link(p store.Post) string {
	return c.home + "archives/" + p.Channel + "/p" + strings.ReplaceAll(p.TS, ".", "")
}

// private tells somebody something that nobody else sees: through the address
// that came with what they did, else where they did it, else, where the bot
// isn't in that channel, by direct message. It returns where that stands, as far
// as Slack says: through an address it doesn't say when.
func (c *Chat) private(ctx context.Context, m request.Message, r request.Request, text string) (store.Post, error) {
	who, key := r.Asker, r.ID
	if m.Body.For != nil {
		who, key = *m.Body.For, m.Thread
	}
	if url := c.replyURL(ctx, who, key); url != "" {
		err := slack.PostWebhookCustomHTTPContext(ctx, url, c.http, &slack.WebhookMessage{Text: text, ResponseType: slack.ResponseTypeEphemeral})
		// Each is answered once that way.
		if dropped := c.store.DropReply(ctx, key); dropped != nil {
			c.log.Warn("erase a response_url", "request", r.ID, "error", dropped)
		}
		if err == nil {
			return store.Post{Channel: who.Channel}, nil
		}
		c.log.Warn("answer through response_url", "request", r.ID, "error", redactURL(err))
	}
	at := store.Post{Channel: who.Channel}
	var err error
	at.TS, err = c.api.PostEphemeralContext(ctx, who.Channel, who.User, slack.MsgOptionText(text, false))
	if answer, ok := errors.AsType[slack.SlackErrorResponse](err); ok && explain(err, "") == nil {
		c.log.Info("answer by direct message", "request", r.ID, "because", answer.Err)
		at.Channel, at.TS, err = c.api.PostMessageContext(ctx, who.User, slack.MsgOptionText(text, false))
	}
	return at, err
}

// redactURL takes the address out of an error: a response_url is a key.
func redactURL(err error) string {
	text := err.Error()
	if i := strings.Index(text, "http"); i >= 0 {
		if j := strings.Index(text[i:], `"`); j > 0 {
			return text[:i] + "response_url" + text[i+j:]
		}
		return text[:i] + "response_url"
	}
	return text
}

// help is the private answer to "/<command> help".
func help(o ops.Operation) string {
	var b strings.Builder
	title, rest, _ := strings.Cut(o.Doc, "\n")
	fmt.Fprintf(&b, "*%s*\n", escape(title))
	if rest != "" {
		fmt.Fprintf(&b, "%s\n", escape(rest))
	}
	for _, u := range o.Usage {
		fmt.Fprintf(&b, "• `%s` — %s\n", escape(u.Form), escape(u.For))
	}
	fmt.Fprintf(&b, "• `%s help` — this", o.Command)
	return b.String()
}
