/* SPDX-License-Identifier: ISC */
#include "structures/queue_private.h"

#include <errno.h>
#include <string.h>

#define TIME_MAX (((uint64_t)1 << 60) - 1)
#define RANDOM_DIGITS (QUEUE_KEY_LENGTH - QUEUE_TIME_DIGITS)

const struct queue_place queue_root_place = { .keyed = true };

/* ---- keys ---- */

static void write_digits(uint64_t number, int count, char *to)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuv";

	while (count--) {
		to[count] = digits[number % 32];
		number /= 32;
	}
}

/* -1: not a digit */
static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'v')
		return c - 'a' + 10;
	return -1;
}

static bool are_digits(const char *text, size_t count)
{
	while (count--)
		if (digit(*text++) < 0)
			return false;
	return true;
}

static uint64_t read_digits(const char *from, int count)
{
	uint64_t number = 0;

	for (int i = 0; i < count; i++)
		number = number << 5 | (digit(from[i]) & 31);
	return number;
}

static uint64_t microseconds(const struct timespec *now)
{
	if (now->tv_sec < 0)
		return 0;
	if ((uint64_t)now->tv_sec >= TIME_MAX / 1000000)
		return TIME_MAX;
	return (uint64_t)now->tv_sec * 1000000 + now->tv_nsec / 1000;
}

/* At the end of all times the random part counts on, so that order lasts; a key
 * of nothing but the largest digits comes again, and to push it fails. */
static uint64_t time_after(const struct queue_key *last, uint64_t now,
			   uint32_t *random)
{
	uint64_t time = read_digits(last->text, QUEUE_TIME_DIGITS);
	uint32_t low = read_digits(last->text + QUEUE_TIME_DIGITS,
				   RANDOM_DIGITS);

	if (time < now)
		return now;
	if (time < TIME_MAX)
		return time + 1;
	*random = low < UINT32_MAX ? low + 1 : low;
	return TIME_MAX;
}

void queue_key_next(const struct queue_key *last, const struct timespec *now,
		    uint32_t random, struct queue_key *ret_key)
{
	uint64_t time = microseconds(now);

	if (last && last->text[0])
		time = time_after(last, time, &random);
	write_digits(time, QUEUE_TIME_DIGITS, ret_key->text);
	write_digits(random, RANDOM_DIGITS, ret_key->text + QUEUE_TIME_DIGITS);
	ret_key->text[QUEUE_KEY_LENGTH] = '\0';
}

/* ---- paths ---- */

static size_t component_length(unsigned int level)
{
	return level == 0 ? QUEUE_TOP_DIGITS : 1;
}

static size_t component_begin(unsigned int level)
{
	return level == 0 ? 0 : QUEUE_TOP_DIGITS + level - 1;
}

void queue_component(const struct queue_key *key, unsigned int level,
		     char ret[QUEUE_TOP_DIGITS + 1])
{
	size_t length = component_length(level);

	memcpy(ret, key->text + component_begin(level), length);
	ret[length] = '\0';
}

bool queue_place_enter(const struct queue_place *place, const char *name,
		       struct queue_place *ret)
{
	unsigned int level = place->level;
	size_t length = component_length(level), begin = component_begin(level);

	if (level >= TREE_DEPTH_MAX)
		return false;
	*ret = *place;
	ret->level++;
	ret->keyed = place->keyed && level < QUEUE_LEVELS &&
		     strlen(name) == length && are_digits(name, length);
	if (ret->keyed)
		memcpy(ret->digits + begin, name, length + 1);
	return true;
}

/* The name alone must do where elements are shown, and with its key in Git. */
static int check_name(const char *name, const char *stored)
{
	int r = tree_check_name(name);

	return r < 0 ? r : tree_check_name(stored);
}

static int parse_name(const char *stored, struct queue_key *ret_key,
		      const char **ret_name)
{
	const char *name = stored + QUEUE_KEY_LENGTH + 1;

	if (strnlen(stored, QUEUE_KEY_LENGTH + 1) <= QUEUE_KEY_LENGTH ||
	    stored[QUEUE_KEY_LENGTH] != '-' ||
	    !are_digits(stored, QUEUE_KEY_LENGTH) ||
	    stored[QUEUE_TIME_DIGITS] > '3' || check_name(name, stored) < 0)
		return -ENOENT;
	memcpy(ret_key->text, stored, QUEUE_KEY_LENGTH);
	ret_key->text[QUEUE_KEY_LENGTH] = '\0';
	*ret_name = name;
	return 0;
}

bool queue_place_has(const struct queue_place *place, const char *name,
		     uint32_t mode, struct queue_key *ret_key,
		     const char **ret_name)
{
	struct queue_key key;

	if (!queue_place_is_leaf(place) ||
	    mode == MODE_TREE || mode == MODE_SUBMODULE ||
	    parse_name(name, &key, ret_name) < 0 ||
	    strncmp(key.text, place->digits, strlen(place->digits)) != 0)
		return false;
	*ret_key = key;
	return true;
}

int queue_path(const struct queue_key *key, const char *name,
	       char ret_path[QUEUE_PATH_MAX])
{
	size_t length = strlen(name);
	char path[QUEUE_PATH_MAX], *at = path;
	int r;

	if (length > QUEUE_NAME_MAX)
		return -ENAMETOOLONG;
	for (unsigned int level = 0; level < QUEUE_LEVELS; level++) {
		queue_component(key, level, at);
		at += component_length(level);
		*at++ = '/';
	}
	memcpy(at, key->text, QUEUE_KEY_LENGTH);
	at[QUEUE_KEY_LENGTH] = '-';
	memcpy(at + QUEUE_KEY_LENGTH + 1, name, length + 1);
	r = check_name(name, at);
	if (r == 0)
		memcpy(ret_path, path, at - path + QUEUE_KEY_LENGTH + length + 2);
	return r;
}

int queue_parse(const char *path, struct queue_key *ret_key,
		const char **ret_name)
{
	const char *last = strrchr(path, '/'), *name;
	char expected[QUEUE_PATH_MAX];
	struct queue_key key;

	if (parse_name(last ? last + 1 : path, &key, &name) < 0)
		return -ENOENT;
	if (last && (queue_path(&key, name, expected) < 0 ||
		     strcmp(path, expected) != 0))
		return -ENOENT;
	*ret_key = key;
	*ret_name = name;
	return 0;
}
