// Package anchor keeps what stands for the audit, the number and the hash of its
// newest event, in an S3 bucket with Object Lock: whoever rewrites the audit
// afterwards can't rewrite that. Each is an object of its own whose key says
// all; nothing is ever read out of one.
package anchor

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/aws-root-account/rootbot/ops"
	"github.com/aws-root-account/rootbot/ops/awsaccess"
)

// Policy is what the role may do, with ${bucket} and ${prefix}.
//
//go:embed policy.json
var Policy string

// Bucket is where anchors are kept.
type Bucket struct {
	Broker *awsaccess.Broker
	Role   string // ARN
	Region string
	Name   string
	Prefix string        // of the keys: "rootbot/"; may be empty
	Retain time.Duration // how long Object Lock, in compliance mode, keeps each
}

// Anchor is the number and the hash of an event.
type Anchor struct {
	Seq  int64
	Hash string // hexadecimal
}

func (b Bucket) client(sid string, acts bool) (*s3.Client, error) {
	config, err := b.Broker.Session(awsaccess.Stage{
		Role: b.Role, Region: b.Region, Policy: Policy, Only: []string{sid}, Acts: acts,
		Values: map[string]string{"bucket": b.Name, "prefix": b.Prefix},
	}, ops.Request{ID: "audit", Operation: "audit", By: "rootbot"})
	if err != nil {
		return nil, err
	}
	return s3.NewFromConfig(config), nil
}

// Put keeps an anchor and returns its address. To keep one twice does no harm.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
func (b Bucket) Put(ctx context.Context, a Anchor, now time.Time) (string, error) {
	client, err := b.client("Put", true)
	if err != nil {
		return "", err
	}
	key := fmt.Sprintf("%s%020d-%s", b.Prefix, a.Seq, a.Hash)
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &b.Name, Key: &key, Body: strings.NewReader(strconv.FormatInt(a.Seq, 10) + ":" + a.Hash + "\n"), ContentType: aws.String("text/plain"),
		ObjectLockMode: types.ObjectLockModeCompliance, ObjectLockRetainUntilDate: aws.Time(now.Add(b.Retain)),
		ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	}); err != nil {
		return "", b.explain(fmt.Errorf("put anchor %d: %w", a.Seq, err))
	}
	return "s3://" + b.Name + "/" + key, nil
}

var keyPattern = regexp.MustCompile(`^(\d{20})-([0-9a-f]{64})$`)

// Listing is what a bucket has.
type Listing struct {
	Anchors []Anchor // in order, those behind delete markers included
	Hidden  []Anchor // those behind delete markers
	Blind   error    // why anchors behind delete markers couldn't be looked for; nil: they were
}

// List returns all that are kept. What isn't an anchor is left out. A locked object can't
// be deleted, but a delete marker can hide it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-delete-markers
func (b Bucket) List(ctx context.Context) (Listing, error) {
	client, err := b.client("List", false)
	if err != nil {
		return Listing{}, err
	}
	list, hidden, err := b.versions(ctx, client)
	api, said := errors.AsType[smithy.APIError](err)
	if !said || !slices.Contains([]string{"AccessDenied", "NotImplemented", "MethodNotAllowed", "InvalidArgument"}, api.ErrorCode()) {
		return Listing{Anchors: list, Hidden: hidden}, err
	}
	// A role of an earlier policy, or an S3 that isn't AWS's, may list objects alone.
	blind := err
	list = nil
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: &b.Name, Prefix: &b.Prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return Listing{}, blind
		}
		for _, object := range page.Contents {
			if a, ok := b.anchor(object.Key); ok {
				list = append(list, a)
			}
		}
	}
	return Listing{Anchors: list, Blind: blind}, nil
}

// versions are the anchors by their versions, and those behind delete markers.
func (b Bucket) versions(ctx context.Context, client *s3.Client) (list, hidden []Anchor, err error) {
	pages := s3.NewListObjectVersionsPaginator(client, &s3.ListObjectVersionsInput{Bucket: &b.Name, Prefix: &b.Prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, nil, b.explain(fmt.Errorf("list anchors: %w", err))
		}
		for _, version := range page.Versions {
			if a, ok := b.anchor(version.Key); ok && (len(list) == 0 || list[len(list)-1] != a) {
				list = append(list, a) // one that was kept twice counts once
			}
		}
		for _, marker := range page.DeleteMarkers {
			if a, ok := b.anchor(marker.Key); ok && aws.ToBool(marker.IsLatest) {
				hidden = append(hidden, a)
			}
		}
	}
	return list, slices.DeleteFunc(hidden, func(a Anchor) bool { return !slices.Contains(list, a) }), nil
}

// anchor is what a key stands for.
func (b Bucket) anchor(key *string) (a Anchor, ok bool) {
	m := keyPattern.FindStringSubmatch(strings.TrimPrefix(aws.ToString(key), b.Prefix))
	if m == nil {
		return Anchor{}, false
	}
	seq, err := strconv.ParseInt(m[1], 10, 64)
	return Anchor{Seq: seq, Hash: m[2]}, err == nil
}

// explain says what to look at, for whoever runs the bot.
func (b Bucket) explain(err error) error {
	// PutObject has no type for it: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() == "NoSuchBucket" {
		return fmt.Errorf("audit.bucket: there is no bucket %s: %w", b.Name, err)
	}
	return err
}
