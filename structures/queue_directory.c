/* SPDX-License-Identifier: ISC */
#include "structures/queue.h"
#include "structures/structures_private.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* Queues as directories of work trees: irmin=queue. */

static_assert(QUEUE_KEY_LENGTH < DIRECTORY_KEY_SIZE, "keys fit");
static_assert(QUEUE_PATH_MAX <= DIRECTORY_PLACE_SIZE, "places fit");

static struct queue_key key_of(const char *text)
{
	struct queue_key key = { "" };

	memcpy(key.text, text, strnlen(text, QUEUE_KEY_LENGTH));
	return key;
}

static void copy_key(const struct queue_key *key,
		     char ret_key[DIRECTORY_KEY_SIZE])
{
	memcpy(ret_key, key->text, sizeof(key->text));
}

static void next_key(const char *last, const struct timespec *now,
		     uint32_t random, char ret_key[DIRECTORY_KEY_SIZE])
{
	const struct queue_key before = key_of(last);
	struct queue_key key;

	queue_key_next(&before, now, random, &key);
	copy_key(&key, ret_key);
}

static int make_place(const char *key, const char *name,
		      char ret_place[DIRECTORY_PLACE_SIZE])
{
	const struct queue_key of = key_of(key);

	return queue_path(&of, name, ret_place);
}

static int parse(const char *place, char ret_key[DIRECTORY_KEY_SIZE],
		 const char **ret_name)
{
	struct queue_key key;
	/* a key alone is none: elements are in folders */
	int r = strchr(place, '/') ? queue_parse(place, &key, ret_name) :
				     -ENOENT;

	if (r == 0)
		copy_key(&key, ret_key);
	return r;
}

const struct directory_type queue_directory_type = {
	.name = "queue",
	.name_max = QUEUE_NAME_MAX,
	.next_key = next_key,
	.make_place = make_place,
	.parse = parse,
	.merge = queue_merge,
};
