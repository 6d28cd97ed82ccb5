"""How many primes there are up to n: the sieve of Eratosthenes."""


def primes(n: int) -> int:
    is_prime = [True] * (n + 1)
    is_prime[0] = False
    is_prime[1] = False
    i = 2
    while i * i <= n:
        if is_prime[i]:
            for k in range(i * i, n + 1, i):
                is_prime[k] = False
        i += 1
    count = 0
    for p in is_prime:
        if p:
            count += 1
    return count
