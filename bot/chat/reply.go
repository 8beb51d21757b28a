package chat

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"github.com/aws-root-account/rootbot/bot/request"
)

// A response_url is where to answer a person for their eyes only, as Slack gave it with
// what they did. It is a key to that conversation, good for 30 minutes and 5 answers, so
// it is stored sealed: any process with the same SLACK_APP_TOKEN can answer, and the
// database alone can't.
// https://docs.slack.dev/interactivity/handling-user-interaction#message_responses
const replyFor = 29 * time.Minute

// sealer seals and opens response_urls, for one person each.
func (c *Chat) sealer() (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(c.settings.AppToken), nil, "rootbot response_url", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealed seals a response_url of a person; nil: there is none.
func (c *Chat) sealed(who request.Asker, url string) *request.Reply {
	if url == "" {
		return nil
	}
	sealer, err := c.sealer()
	if err != nil {
		c.log.Error("seal a response_url", "error", err)
		return nil
	}
	text := sealer.Seal(nil, nil, []byte(url), []byte(who.Name()))
	return &request.Reply{Sealed: base64.StdEncoding.EncodeToString(text), Till: time.Now().Add(replyFor)}
}

// replyURL is the response_url for the answers of a thread to a person; empty: there is
// none, or this process can't open it.
func (c *Chat) replyURL(ctx context.Context, who request.Asker, thread string) string {
	reply, err := c.store.Reply(ctx, thread)
	if err != nil || reply == nil {
		if err != nil {
			c.log.Warn("look for a response_url", "thread", thread, "error", err)
		}
		return ""
	}
	sealed, err := base64.StdEncoding.DecodeString(reply.Sealed)
	sealer, unusable := c.sealer()
	if err = errors.Join(err, unusable); err == nil {
		var url []byte
		if url, err = sealer.Open(nil, nil, sealed, []byte(who.Name())); err == nil {
			return string(url)
		}
	}
	c.log.Warn("open a response_url: the process that took it has another SLACK_APP_TOKEN", "thread", thread, "error", err)
	return ""
}
