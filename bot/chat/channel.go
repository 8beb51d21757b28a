package chat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// A channel is found once and remembered by its ID: its name is people's to change,
// to give up and to use again.

var channelID = regexp.MustCompile(`^[CG][A-Z0-9]{6,}$`)

// pageOfChannels is the most that Slack gives of a list at once. It may give fewer.
// https://docs.slack.dev/reference/methods/conversations.list
const pageOfChannels = 999

// channels are those that the settings name.
type channels struct {
	mu       sync.Mutex
	settings map[string][]string      // that name a channel, by the name that they have for it
	found    map[string]store.Channel // by the same
	renamed  []store.Channel          // as they are now; still to be told
	looked   map[string]time.Time     // when Slack was asked last for a channel's name, by ID
}

// lookAgain is how often Slack is asked whether a channel still has its name.
const lookAgain = 10 * time.Minute

// settingName is a channel as the settings write it, without #; a name in lower case, as
// all names of channels are. With # it is a name, also where it looks like an ID.
func settingName(written string) string {
	if channelID.MatchString(written) {
		return written
	}
	return strings.ToLower(strings.TrimPrefix(written, "#"))
}

// findChannels finds the channels that the settings name, and checks that the bot is
// in them. Those with an ID, written or remembered, are asked for by it; all others
// are looked for in one listing. self is the bot's name.
func (c *Chat) findChannels(ctx context.Context, self string) error {
	all := &c.channels
	all.settings = map[string][]string{settingName(c.settings.LogChannel): {"slack.log_channel"}}
	for _, o := range c.desk.Operations {
		if name := settingName(c.desk.TermsOf(o.Name).Place); name != "" {
			all.settings[name] = append(all.settings[name], "operations."+o.Name+".channel")
		}
	}
	known, err := c.store.Channels(ctx, c.workspace)
	if err != nil {
		c.log.Warn("remember which channels the settings mean", "error", err)
	}
	there, missing := map[string]*slack.Channel{}, map[string]bool{}
	for name := range all.settings {
		id := cmp.Or(known[name].ID, name)
		if !channelID.MatchString(id) {
			missing[name] = true
			continue
		}
		if there[name], err = c.channelOfID(ctx, id); err != nil {
			return err
		}
	}
	if err := c.listChannels(ctx, missing, func(channel *slack.Channel) {
		there[channel.Name] = channel
		// At once: the pages that follow may take minutes, and fail.
		if channel.IsMember {
			c.remember(ctx, store.Channel{Workspace: c.workspace, Name: channel.Name, ID: channel.ID, Title: channel.Name})
		}
	}); err != nil {
		return err
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.found = map[string]store.Channel{}
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(all.settings)) {
		if err := c.adoptChannel(ctx, name, known[name], there[name], self); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// adoptChannel takes over a channel that was found under the settings' name, and
// remembers it. The error says why the bot can't work in it. c.channels is locked.
func (c *Chat) adoptChannel(ctx context.Context, name string, known store.Channel, there *slack.Channel, self string) error {
	if err := unusable(strings.Join(c.channels.settings[name], ", "), name, known, there, self); err != nil {
		return err
	}
	now := store.Channel{Workspace: c.workspace, Name: name, ID: there.ID, Title: there.Name}
	c.channels.found[name] = now
	switch {
	case known.ID == "" && now.ID == name: // those that were listed are remembered already
		c.remember(ctx, now)
	case known.ID != "" && known.Title != now.Title:
		c.channels.renamed = append(c.channels.renamed, now)
	case now.Title != name && now.ID != name:
		c.log.Warn("the settings call a channel by a name that it had: write its ID there", "settings", c.channels.settings[name], "name", name, "channel", now.ID, "called", now.Title)
	}
	return nil
}

// remember keeps a channel of the settings for the next start. Where the store can't,
// the next start looks for it again.
func (c *Chat) remember(ctx context.Context, channel store.Channel) {
	if err := c.store.KeepChannel(ctx, channel, request.Change{}); err != nil {
		c.log.Warn("remember which channel the settings mean", "channel", channel.ID, "error", err)
	}
}

// unusable says why the bot can't work in a channel; nil: it can. there is nil for
// one that Slack doesn't show.
func unusable(setting, name string, known store.Channel, there *slack.Channel, self string) error {
	called, mend := name, "make it, or, if it is private, invite the bot: /invite @"+self
	if known.ID != "" && known.ID != name {
		// Never the channel that has taken the name meanwhile.
		called = fmt.Sprintf("%s (found earlier as %s)", name, known.ID)
		mend = fmt.Sprintf("invite the bot there: /invite @%s, or, if you mean another channel, set %s to its ID", self, setting)
	}
	switch {
	case there == nil && called == name && name != known.ID:
		return fmt.Errorf("%s: Slack shows the bot no channel %s that isn't archived; %s", setting, called, mend)
	case there == nil:
		return fmt.Errorf("%s: Slack shows the bot no channel %s; %s", setting, called, mend)
	case there.IsArchived:
		return fmt.Errorf("%s: the channel %s is archived; unarchive it, or set %s to the ID of another", setting, called, setting)
	case !there.IsMember:
		return fmt.Errorf("%s: the bot is not in the channel %s; type there: /invite @%s", setting, called, self)
	}
	return nil
}

// channelOfID asks for a channel; nil if Slack shows the bot no such one.
func (c *Chat) channelOfID(ctx context.Context, id string) (*slack.Channel, error) {
	channel, err := steadily(ctx, func() (*slack.Channel, error) {
		return c.api.GetConversationInfoContext(ctx, &slack.GetConversationInfoInput{ChannelID: id})
	})
	if codeOf(err) == "channel_not_found" {
		return nil, nil
	}
	if said := explain(err, "SLACK_BOT_TOKEN"); said != nil {
		return nil, said
	}
	if err != nil {
		return nil, fmt.Errorf("look up the channel %s: %w", id, err)
	}
	return channel, nil
}

// listChannels looks for channels by their names, archived ones left out, in one
// listing, and ends it when all are found. Slack allows about 20 calls a minute, and
// a workspace may have very many channels: it takes as long as Slack asks to wait.
// https://docs.slack.dev/apis/web-api/rate-limits
func (c *Chat) listChannels(ctx context.Context, names map[string]bool, found func(*slack.Channel)) error {
	left := maps.Clone(names)
	params := &slack.GetConversationsParameters{Types: []string{"public_channel", "private_channel"}, Limit: pageOfChannels, ExcludeArchived: true, TeamID: c.workspace}
	for listed := 0; len(left) > 0; {
		var next string
		page, err := steadily(ctx, func() (page []slack.Channel, err error) {
			page, next, err = c.api.GetConversationsContext(ctx, params)
			if limited, ok := errors.AsType[*slack.RateLimitedError](err); ok {
				c.log.Info("Slack asks to wait before it lists more channels", "for", limited.RetryAfter, "listed", listed, "looking for", slices.Sorted(maps.Keys(left)))
			}
			return page, err
		})
		if said := explain(err, "SLACK_BOT_TOKEN"); said != nil {
			return said
		}
		if err != nil {
			return fmt.Errorf("list the channels: %w", err)
		}
		for i := range page {
			if left[page[i].Name] {
				delete(left, page[i].Name)
				found(&page[i])
			}
		}
		if listed += len(page); next == "" {
			return nil
		}
		params.Cursor = next
	}
	return nil
}

// named is the channel that the settings mean by a name; the zero Channel if there is
// none.
func (all *channels) named(written string) store.Channel {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.found[settingName(written)]
}

// heard takes notice of what Slack calls a channel in something that a person did
// there. A channel of the settings that has another name than is known, or that is
// private, which Slack says instead of its name, is asked for.
// https://docs.slack.dev/interactivity/implementing-slash-commands#app_command_handling
func (c *Chat) heard(id, called string) {
	all := &c.channels
	all.mu.Lock()
	defer all.mu.Unlock()
	changed := false
	for _, known := range all.found {
		changed = changed || known.ID == id && called != "" && known.Title != called
	}
	wait := lookAgain
	if called != "privategroup" {
		wait = time.Second
	}
	if !changed || time.Since(all.looked[id]) < wait {
		return
	}
	if all.looked == nil {
		all.looked = map[string]time.Time{}
	}
	all.looked[id] = time.Now()
	c.delivering.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), attempt)
		defer cancel()
		channel, err := c.channelOfID(ctx, id)
		if err != nil || channel == nil {
			c.log.Warn("look what a channel is called", "channel", id, "error", err)
			return
		}
		all.mu.Lock()
		for name, known := range all.found {
			if known.ID == id && known.Title != channel.Name {
				known.Title = channel.Name
				all.found[name] = known
				all.renamed = append(all.renamed, known)
			}
		}
		all.mu.Unlock()
		c.tellRenamed(ctx)
	})
}

// tellRenamed records and tells that channels have other names than they had, and
// whose the names of the settings are now. The bot goes on with the same channels.
func (c *Chat) tellRenamed(ctx context.Context) {
	all := &c.channels
	all.mu.Lock()
	renamed := all.renamed
	all.renamed = nil
	all.mu.Unlock()
	if len(renamed) == 0 {
		return
	}
	known, err := c.store.Channels(ctx, c.workspace)
	if err != nil {
		c.log.Error("read what channels were called", "error", err)
	}
	freed, taken := map[string]bool{}, map[string]string{}
	for _, channel := range renamed {
		if channel.Name != channel.ID && channel.Name != channel.Title {
			freed[channel.Name] = true
		}
	}
	if err := c.listChannels(ctx, freed, func(other *slack.Channel) { taken[other.Name] = other.ID }); err != nil {
		c.log.Warn("look whose the name of a renamed channel is now", "error", err)
	}
	for _, channel := range renamed {
		was, settings := cmp.Or(known[channel.Name].Title, channel.Name), strings.Join(all.settings[channel.Name], ", ")
		text := fmt.Sprintf("The channel #%s (%s), which the settings name at %s, is called #%s now. I go on using it.", was, channel.ID, settings, channel.Title)
		data := map[string]any{"settings": settings, "channel": channel.ID, "was": was, "now": channel.Title}
		if freed[channel.Name] {
			text += fmt.Sprintf(" Write %s there: a name can become another channel's.", channel.ID)
		}
		if other := taken[channel.Name]; other != "" {
			text += fmt.Sprintf(" Another channel, %s, is called #%s now; I don't use that one.", other, channel.Name)
			data["other"] = other
		}
		c.log.Warn("a channel of the settings has another name", "settings", settings, "channel", channel.ID, "was", was, "now", channel.Title, "other", taken[channel.Name])
		if err := c.store.KeepChannel(ctx, channel, request.Change{
			Events:   []request.Event{{At: time.Now().UTC(), Kind: "channel-renamed", Data: data}},
			Messages: []request.Message{{Kind: request.Announce, Body: request.Body{Text: text}}},
		}); err != nil {
			c.log.Error("tell that a channel was renamed", "channel", channel.ID, "error", err)
		}
	}
}
