package awstest

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Bucket is an S3 bucket. Its name is unique in all of AWS.
type Bucket struct {
	Name    string // one with dots the SDKs put before the address, where 127.0.0.1 can't be found
	Region  string // "" is the Cloud's own
	Account string // "" is the Cloud's own

	// Versioned keeps every version of an object. A bucket with Object Lock always does.
	Versioned bool

	// ObjectLock lets versions be kept from being deleted until a time. Default is the retention of those that come without
	// one of their own; the zero value is none.
	ObjectLock bool
	Default    DefaultRetention
}

// DefaultRetention is the retention that a bucket with Object Lock gives to new versions.
type DefaultRetention struct {
	Mode        string // GOVERNANCE or COMPLIANCE
	Days, Years int    // one of them
}

type bucket struct {
	Bucket
	objects map[string][]*Object // versions by key, oldest first
}

const (
	governance = "GOVERNANCE"
	compliance = "COMPLIANCE"
)

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// AddBucket adds a bucket, or gives the one of this name other settings; its objects stay as they are. What S3 would refuse is
// named in Problems.
func (c *Cloud) AddBucket(b Bucket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.Region, b.Account = cmp.Or(b.Region, c.opts.Region), cmp.Or(b.Account, c.opts.Account)
	b.Versioned = b.Versioned || b.ObjectLock
	if !bucketName.MatchString(b.Name) {
		c.problem("bucket %q: a name is 3 to 63 lower-case letters, digits, dots and hyphens", b.Name)
	}
	if text := b.Default.fault(); b.Default != (DefaultRetention{}) && text != "" {
		c.problem("bucket %s: default retention %+v: %s", b.Name, b.Default, text)
	}
	if b.Default != (DefaultRetention{}) && !b.ObjectLock {
		c.problem("bucket %s: a default retention without Object Lock", b.Name)
	}
	known := c.buckets[b.Name]
	switch {
	case known == nil:
		c.buckets[b.Name] = &bucket{Bucket: b, objects: map[string][]*Object{}}
	case known.Account != b.Account || known.Region != b.Region:
		c.problem("bucket %s: exists in %s of account %s", b.Name, known.Region, known.Account)
	case known.ObjectLock && !b.ObjectLock:
		c.problem("bucket %s: Object Lock can't be turned off", b.Name)
	case known.Versioned && !b.Versioned:
		c.problem("bucket %s: versioning can only be suspended, which awstest doesn't have", b.Name)
	default:
		known.Bucket = b
	}
	c.touch()
}

// RemoveBucket removes a bucket with all that is in it, whatever protects it, as when its account is closed; none of that name is
// no problem.
func (c *Cloud) RemoveBucket(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.buckets, name)
	c.touch()
}

// fault says what is wrong with a default retention; "" is nothing.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DefaultRetention.html
func (d DefaultRetention) fault() string {
	switch {
	case d.Mode != governance && d.Mode != compliance:
		return "the mode is neither GOVERNANCE nor COMPLIANCE"
	case (d.Days == 0) == (d.Years == 0):
		return "either days or years"
	case d.Days < 0 || d.Days > 36500 || d.Years < 0 || d.Years > 100:
		return "up to 36500 days or 100 years"
	}
	return ""
}

// AddObject writes a version by somebody else's hand, and returns it as it became: without a Mode it takes the bucket's default
// retention. One that S3 wouldn't have is named in Problems and not written.
func (c *Cloud) AddObject(bucket string, o Object) Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.theBucket(bucket, "add object "+o.Key)
	if b == nil {
		return Object{}
	}
	if text := o.fault(b); text != "" {
		c.problem("bucket %s: object %q: %s", bucket, o.Key, text)
		return Object{}
	}
	return b.put(c, o.clone()).clone()
}

// Object is the current version of an object; ok is false when there is none or a delete marker hides it.
func (c *Cloud) Object(bucket, key string) (o Object, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.theBucket(bucket, "object "+key); b != nil {
		if current := b.current(key); current != nil {
			return current.clone(), true
		}
	}
	return Object{}, false
}

// Objects are the current versions of all objects of a bucket that no delete marker hides, in the order of their keys.
func (c *Cloud) Objects(bucket string) []Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []Object
	if b := c.theBucket(bucket, "objects"); b != nil {
		for _, key := range b.keys("", "") {
			all = append(all, b.current(key).clone())
		}
	}
	return all
}

// ObjectVersions are all versions and delete markers of a bucket, in the order of their keys and the newest first.
func (c *Cloud) ObjectVersions(bucket string) []Object {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.theBucket(bucket, "object versions")
	if b == nil {
		return nil
	}
	var all []Object
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		for _, o := range slices.Backward(b.objects[key]) {
			all = append(all, o.clone())
		}
	}
	return all
}

// RemoveObject deletes an object by somebody else's hand as DeleteObject without a version does: where there are versions, a
// delete marker hides them, which no retention prevents.
func (c *Cloud) RemoveObject(bucket, key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b := c.theBucket(bucket, "remove object "+key); b != nil {
		b.hide(c, key)
	}
}

// RemoveVersion removes a version or a delete marker for good, whatever protects it.
func (c *Cloud) RemoveVersion(bucket, key, versionID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.theBucket(bucket, "remove version "+versionID+" of "+key)
	if b == nil {
		return
	}
	if b.version(key, versionID) == nil {
		c.problem("bucket %s: remove version %s of %s: no such version", bucket, versionID, key)
	}
	b.remove(c, key, versionID)
}

// theBucket is a bucket that must be there.
func (c *Cloud) theBucket(name, what string) *bucket {
	b := c.buckets[name]
	if b == nil {
		c.problem("bucket %s: %s: no such bucket", name, what)
	}
	return b
}

// current is the newest version of an object; nil when there is none or it is a delete marker.
func (b *bucket) current(key string) *Object {
	if all := b.objects[key]; len(all) > 0 && !all[len(all)-1].DeleteMarker {
		return all[len(all)-1]
	}
	return nil
}

func (b *bucket) version(key, id string) *Object {
	return find(b.objects[key], func(o *Object) bool { return o.VersionID == id })
}

// put makes o the newest version of its key.
func (b *bucket) put(c *Cloud, o Object) *Object {
	o.Modified = whole(c.now())
	o.RetainUntil = o.RetainUntil.UTC()
	if o.Mode == "" && b.Default.Mode != "" && !o.DeleteMarker {
		o.Mode, o.RetainUntil = b.Default.Mode, c.now().UTC().AddDate(b.Default.Years, 0, b.Default.Days)
	}
	o.RetainUntil = o.RetainUntil.Truncate(time.Millisecond)
	if !o.DeleteMarker {
		o.complete()
	}
	o.VersionID = "null"
	if b.Versioned {
		o.VersionID = randomHex(16)
	}
	b.objects[o.Key] = slices.DeleteFunc(b.objects[o.Key], func(old *Object) bool { return old.VersionID == o.VersionID })
	b.objects[o.Key] = append(b.objects[o.Key], &o)
	c.touch()
	return &o
}

// hide deletes the object without a version; it returns the delete marker, nil where there are no versions.
func (b *bucket) hide(c *Cloud, key string) *Object {
	if !b.Versioned {
		b.remove(c, key, "null")
		return nil
	}
	return b.put(c, Object{Key: key, DeleteMarker: true})
}

func (b *bucket) remove(c *Cloud, key, versionID string) {
	b.objects[key] = slices.DeleteFunc(b.objects[key], func(o *Object) bool { return o.VersionID == versionID })
	if len(b.objects[key]) == 0 {
		delete(b.objects, key)
	}
	c.touch()
}

// keys are those of all objects that can be seen, in order, that begin with prefix and come after after.
func (b *bucket) keys(prefix, after string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(b.objects)) {
		if strings.HasPrefix(key, prefix) && key > after && b.current(key) != nil {
			keys = append(keys, key)
		}
	}
	return keys
}
