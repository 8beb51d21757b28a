package chat

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/aws-root-account/rootbot/bot/request"
	"github.com/aws-root-account/rootbot/bot/store"
)

// A message that Slack will never take as it is drawn is told in another way, so
// that what people need to know reaches them, and nothing behind it waits for ever.

// partLimit is how long one message of plain text may be: Slack cuts what is longer
// than 4,000 characters into messages of its own.
// https://docs.slack.dev/changelog/2018-truncating-really-long-messages
const partLimit = 3500

// posting is a message that stands.
type posting struct {
	store.Post
	to    int64 // up to which line of the log it goes
	found bool  // it stood already
	away  bool  // not where it belongs: Slack took it nowhere else
}

// way is one way to tell a drawing.
type way struct {
	name   string
	upload bool // it needs a file
	apart  bool // it stands in no thread
	drawn  bool // it is for channels without threads only
	tell   func() (posting, error)
}

// helps tells whether a way may be taken where Slack has refused another for err.
func (w way) helps(err error) bool {
	switch aboutOf(err) {
	case aboutFile:
		return !w.upload
	case aboutReplies:
		return w.apart
	}
	return !w.drawn
}

// tell posts a drawing, in the thread of at if that has a TS: as it is drawn, or
// else in the first of the other ways that Slack takes. What it returns stands
// wholly. An error for which refuses holds says that Slack takes none of them.
func (c *Chat) tell(ctx context.Context, m request.Message, at store.Post, d drawing) (posting, error) {
	var found posting
	if m.Tries > 0 {
		// Only the answer to an earlier try may have been lost.
		var whole bool
		var err error
		found, whole, err = c.posted(ctx, m, at)
		switch {
		case err != nil && (isGone(err) || m.Tries < triesOfPassing):
			return found, err
		case err != nil:
			// It can't be looked for: rather told twice than never.
			c.log.Warn("look for a message that may have been posted", "request", m.Request, "message", m.ID, "error", err)
		case found.TS != "" && (whole || d.file.name == ""):
			return found, nil
		}
	}
	var first error
	for i, way := range c.ways(ctx, m, at, d, found) {
		if first != nil && !way.helps(first) {
			continue
		}
		p, err := way.tell()
		if !unwilling(err, m.Tries) {
			if err == nil && i > 0 {
				c.log.Warn("a message was told in another way than it is drawn", "request", m.Request, "message", m.ID, "kind", m.Kind, "way", way.name)
			}
			return p, err
		}
		answer, _ := errors.AsType[slack.SlackErrorResponse](err)
		c.log.Error("Slack refuses a message", "request", m.Request, "message", m.ID, "kind", m.Kind, "way", way.name, "error", err, "details", answer.ResponseMetadata.Messages)
		if first == nil {
			first = err
		}
	}
	return posting{}, first
}

// ways are how a drawing can be told, the best first. found is its message, if that
// stands already without its file.
func (c *Chat) ways(ctx context.Context, m request.Message, at store.Post, d drawing, found posting) []way {
	list := []way{{name: "as it is drawn", tell: func() (posting, error) {
		p, err := found, error(nil)
		if p.TS == "" {
			p, err = c.post(ctx, m, at, d)
		}
		if err == nil && d.file.name != "" {
			err = c.attach(ctx, m, at, d)
		}
		return p, err
	}}}
	for _, plain := range d.plainly() {
		if utf8.RuneCountInString(plain.text) <= partLimit {
			list = append(list, way{name: "as plain text", tell: func() (posting, error) { return c.post(ctx, m, at, plain) }})
		}
	}
	words := d.words() + d.elsewhere()
	parts := way{name: "as plain text in parts", tell: func() (posting, error) { return c.inParts(ctx, m, at, words) }}
	if m.Kind == request.Card {
		return append(list, parts) // a file is no beginning of a thread
	}
	list = append(list, way{name: "as a file", upload: true, tell: func() (posting, error) {
		f := d.file
		if f.name == "" {
			f = file{name: fmt.Sprintf("%s-%d.txt", m.Kind, m.ID), title: "What the bot has to say", text: unescape(words)}
		}
		return posting{Post: store.Post{Channel: at.Channel}}, c.upload(ctx, m, at, f, cut(d.call+" "+d.text+d.elsewhere(), sectionLimit))
	}}, parts)
	if at.TS != "" && words != "" {
		of := "Of <" + c.link(at) + "|this thread>"
		list = append(list, way{name: "as it is drawn, outside its thread", apart: true, drawn: true, tell: func() (posting, error) {
			beside, outside := d, store.Post{Channel: at.Channel}
			if len(d.blocks) > 0 {
				beside.blocks = append(slices.Clone(d.blocks), small(of))
			}
			p, err := c.post(ctx, m, outside, beside)
			if err == nil && d.file.name != "" {
				err = c.attach(ctx, m, outside, d)
			}
			return p, err
		}})
		list = append(list, way{name: "outside its thread", apart: true, tell: func() (posting, error) {
			return c.inParts(ctx, m, store.Post{Channel: at.Channel}, of+":\n"+words)
		}})
	}
	if slices.Contains([]string{request.Result, request.Note, request.Ask}, m.Kind) {
		list = append(list, way{name: "by direct message to who asked", apart: true, tell: func() (posting, error) {
			r, err := c.store.Request(ctx, m.Request)
			if err != nil {
				return posting{}, err
			}
			direct, err := c.direct(ctx, r.Asker.User)
			if err != nil {
				return posting{}, err
			}
			p, err := c.inParts(ctx, m, direct, words)
			p.away = true
			return p, err
		}})
	}
	return list
}

// mostParts is how many messages the text of a file makes at most that Slack doesn't
// take, but for a plan's.
const mostParts = 20

// attach puts the file of a drawing into the thread in which its message stands: as
// text, where Slack takes no file.
func (c *Chat) attach(ctx context.Context, m request.Message, at store.Post, d drawing) error {
	err := c.upload(ctx, m, at, d.file, "")
	if !unwilling(err, m.Tries) {
		return err
	}
	c.log.Warn("Slack takes no file; its text is told", "request", m.Request, "message", m.ID, "kind", m.Kind, "error", err)
	_, err = c.inParts(ctx, m, at, fmt.Sprintf("Slack doesn't take the file “%s”: %s. It says:\n%s", escape(d.file.title), escape(wordsOf(err)), fileAsText(m.Kind, d.file)))
	return err
}

// fileAsText is what a message says in place of a file. People decide about a plan, so
// none of it is missing.
func fileAsText(kind string, f file) string {
	text := escape(f.text)
	if short := cutEscaped(text, mostParts*partLimit); short != text && kind != request.Plan {
		return short + "\nThe rest is in the bot's database only."
	}
	return text
}

// plainly are the drawings that say the same in plain text: with the buttons, if
// there are any, then without anything that Slack may refuse.
func (d drawing) plainly() []drawing {
	var list []drawing
	words := d.words()
	if buttons := d.buttons(); len(buttons) > 0 && utf8.RuneCountInString(words) <= sectionLimit {
		list = append(list, drawing{text: words, blocks: []slack.Block{section(words), slack.NewActionBlock("", bare(buttons)...)}, anchor: d.anchor, whole: true})
	}
	return append(list, drawing{text: words + d.elsewhere(), anchor: d.anchor, whole: true})
}

// bare are buttons with nothing about them that isn't needed.
func bare(buttons []slack.BlockElement) []slack.BlockElement {
	var list []slack.BlockElement
	for _, element := range buttons {
		if b, ok := element.(*slack.ButtonBlockElement); ok {
			element = slack.NewButtonBlockElement(b.ActionID, b.Value, b.Text)
		}
		list = append(list, element)
	}
	return list
}

// elsewhere says where the buttons of a drawing are that Slack doesn't take.
func (d drawing) elsewhere() string {
	if len(d.buttons()) == 0 {
		return ""
	}
	return "\nSlack doesn't take the buttons of this message. Type `/rootbot requests`: they are there."
}

// inParts posts a text in as many messages as it takes, and returns where the
// first stands.
func (c *Chat) inParts(ctx context.Context, m request.Message, at store.Post, text string) (posting, error) {
	var first posting
	for i, part := range parts(text, partLimit) {
		one := m
		one.Body.Other = fmt.Sprintf("%s/part/%s/%d", m.Body.Other, at.TS, i)
		p := posting{}
		if m.Tries > 0 {
			var err error
			if p, _, err = c.posted(ctx, one, at); err != nil {
				return p, err
			}
		}
		if p.TS == "" {
			var err error
			if p, err = c.post(ctx, one, at, drawing{text: part}); err != nil {
				return p, err
			}
		}
		if i == 0 {
			first = p
		}
	}
	return first, nil
}

// amend brings a message up to date where it stands. One that is gone is told anew
// in thread, or in the channel if that has no TS; one that Slack refuses is
// amended in plain text. It returns where the message stands then.
func (c *Chat) amend(ctx context.Context, m request.Message, at, thread store.Post, d drawing) (store.Post, error) {
	err := c.update(ctx, at, d)
	for _, plain := range d.plainly() {
		if !refuses(err) {
			break
		}
		c.log.Error("Slack refuses a message; amending it in plain text", "request", m.Request, "message", m.ID, "kind", m.Kind, "error", err)
		err = c.update(ctx, at, plain)
	}
	if !refuses(err) && !isGone(err) && !isClosed(err) && !persists(err, m.Tries) {
		return at, err
	}
	c.log.Warn("a message can't be brought up to date; telling it anew", "request", m.Request, "kind", m.Kind, "channel", at.Channel, "ts", at.TS, "error", err)
	m.Body.Other += "/anew/" + at.TS
	p, err := c.tell(ctx, m, thread, d)
	return p.Post, err
}

// retire has a message say that a newer one, m, stands elsewhere. One that is gone, or
// can't be edited any more, doesn't hold up the newer one.
func (c *Chat) retire(ctx context.Context, m request.Message, at store.Post, d drawing) error {
	err := c.update(ctx, at, d)
	if refuses(err) {
		err = c.update(ctx, at, drawing{text: d.words()})
	}
	if refuses(err) || isGone(err) || isClosed(err) || persists(err, m.Tries) {
		c.log.Warn("Slack doesn't let an old message be edited", "channel", at.Channel, "ts", at.TS, "error", err)
		return nil
	}
	return err
}

// direct is the conversation with one person.
func (c *Chat) direct(ctx context.Context, user string) (store.Post, error) {
	conversation, _, _, err := c.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return store.Post{}, err
	}
	return store.Post{Channel: conversation.ID}, nil
}

// upload puts a file into a thread. comment stands above it.
func (c *Chat) upload(ctx context.Context, m request.Message, thread store.Post, f file, comment string) error {
	if m.Tries > 0 {
		found, err := c.look(ctx, m, thread, func(s slack.Message) bool {
			return slices.ContainsFunc(s.Files, func(there slack.File) bool { return there.Name == f.name })
		})
		if err != nil || found.TS != "" {
			return err
		}
	}
	if f.text == "" {
		return &uploadError{errors.New("there is nothing to upload")}
	}
	if err := c.turn(ctx, thread.Channel, false); err != nil {
		return err
	}
	given, err := c.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: f.name, FileSize: len(f.text)})
	if err == nil {
		if err = c.put(ctx, given.UploadURL, f); err != nil && codeOf(err) == "" && m.Tries >= triesOfFile {
			// Slack takes files at another address than messages, which may be barred here.
			return &uploadError{err}
		}
	}
	if err == nil {
		_, err = c.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
			Files: []slack.FileSummary{{ID: given.FileID, Title: f.title}}, InitialComment: comment, Channel: thread.Channel, ThreadTimestamp: thread.TS,
		})
	}
	if status, ok := errors.AsType[slack.StatusCodeError](err); ok && status.Code >= http.StatusBadRequest && status.Code < http.StatusInternalServerError {
		return &uploadError{err}
	}
	// Whatever the methods of files are refused for, the channel may take messages.
	if about := aboutOf(err); codeOf(err) != "" && about != aboutNow && about != aboutUnknown {
		return &uploadError{err}
	}
	return c.reached(thread.Channel, err)
}

// put sends a file to the address that Slack gave for it. The address is the key:
// the token isn't sent there.
// https://docs.slack.dev/messaging/working-with-files#uploading_files
func (c *Chat) put(ctx context.Context, address string, f file) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", f.name)
	if err == nil {
		_, err = part.Write([]byte(f.text))
	}
	if err = errors.Join(err, form.Close()); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, &body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	switch {
	case response.StatusCode == http.StatusTooManyRequests:
		wait, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return &slack.RateLimitedError{RetryAfter: max(time.Second, time.Duration(wait)*time.Second)}
	case response.StatusCode != http.StatusOK:
		return slack.StatusCodeError{Code: response.StatusCode, Status: response.Status}
	}
	return nil
}
